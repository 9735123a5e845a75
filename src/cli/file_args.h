#pragma once
// One file on the command line: what its reader is told, and how it turned out to be written.
#include <string>
#include <vector>

#include "cli/command.h"
#include "sources/discover.h"

namespace sluice::cli {

// Errors: kUser "unknown-encoding", "bad-range".
Result<sources::InspectOptions> OptionsOf(const FileArgs& args);

// The file as typed, seen from the folder of -C.
std::string PathOf(const Context& context, const FileArgs& args);

// An error of a file that is unsure, or of its options, in terms of the options.
Error WithOptions(Error error);

// What is told of members that are read as a format that their names do not say: a line, "" without any.
std::string OddMembersText(const std::vector<std::string>& members, const std::string& format);

// "a.csv"; of an archive its member too: "a.zip/b.csv".
std::string ShownFile(const FileArgs& args, const sources::InputFile& file);
// "csv, gzip, 1.2 KiB" and "delimiter ;, quote ", with header, windows-1252": a line each, the second only of text.
std::vector<std::string> DescribeFile(const std::string& format, const sources::InputFile& file);
std::string ShownCharacter(char c);  // "none", "tab"
std::string ShownDelimiter(const formats::CsvDialect& dialect);

}  // namespace sluice::cli
