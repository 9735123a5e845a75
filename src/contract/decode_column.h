#pragma once
// Text fields of one column → an Arrow array of the column's type, and why each bad one is bad.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/literal.h"
#include "contract/text_decoder.h"
#include "contract/text_dictionary.h"

namespace arrow {
class Array;
}

namespace sluice::contract {

// A field whose data() is null is NULL. Texts must be valid UTF-8 for string columns. A field that cannot be decoded is NULL in
// the array and has a violation with rule "type", in the order of rows. Scalar types only. Strings come as a dictionary array as long
// as `dictionary` (null: none) takes them.
Result<std::shared_ptr<arrow::Array>> DecodeColumn(const TextDecoder& decoder, const std::string& column,
                                                   std::span<const std::string_view> fields, std::vector<Violation>* violations,
                                                   TextDictionary* dictionary = nullptr);

// `array` with its NULLs replaced by the literal, which must be of its type.
Result<std::shared_ptr<arrow::Array>> FillNulls(const std::shared_ptr<arrow::Array>& array, const DataType& type, const Literal& literal);

// At most 200 bytes, cut between characters.
std::string CutValue(std::string_view text);

}  // namespace sluice::contract
