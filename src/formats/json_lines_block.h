#pragma once
// Blocks of records that are JSON texts, wherever they come from.
#include <memory>
#include <string>

#include "formats/field_shape.h"
#include "formats/ndjson_lines.h"
#include "formats/reader.h"

namespace sluice::formats {

// Decodes the texts of `block` by `shape`. Its lines' `wrong`, where there is one, refuses the record instead.
std::unique_ptr<RawBlock> JsonBlock(std::shared_ptr<const LineBlock> block, std::shared_ptr<const FieldShape> shape,
                                    int64_t max_record_bytes);

}  // namespace sluice::formats
