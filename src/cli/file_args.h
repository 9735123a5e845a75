#pragma once
// One file on the command line: what its reader is told, and how it turned out to be written.
#include <string>
#include <vector>

#include "cli/command.h"
#include "sources/discover.h"

namespace sluice::cli {

// Errors: kUser "unknown-encoding".
Result<sources::InspectOptions> OptionsOf(const FileArgs& args);

// An error of a file that is unsure, with the options that answer it.
Error WithOptions(Error error);

// "csv, gzip, 1.2 KiB" and "delimiter ;, quote ", with header, windows-1252": a line each, the second only of text.
std::vector<std::string> DescribeFile(const std::string& format, const sources::InputFile& file);
std::string ShownCharacter(char c);  // "none", "tab"
std::string ShownDelimiter(const formats::CsvDialect& dialect);

}  // namespace sluice::cli
