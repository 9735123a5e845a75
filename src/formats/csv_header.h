#pragma once
// What stands around the records of delimited text: the header's names, and lines at the end that are no records.
#include <memory>
#include <string>
#include <vector>

#include "formats/csv.h"

namespace sluice::formats {

// The fields' names, trimmed, by the rules of csv.h. `rows`: the records of the header, at least one.
std::vector<std::string> HeaderNames(const std::vector<std::vector<std::string>>& rows, const CsvDialect& dialect, bool as_written = false);

// The source's bytes but for its last `lines` lines that are not blank, and what follows them. No more than 1 MiB is held back for that:
// lines that are longer are given, and so told of.
std::unique_ptr<ByteSource> WithoutFooter(std::unique_ptr<ByteSource> source, int lines);

}  // namespace sluice::formats
