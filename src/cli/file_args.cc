#include "cli/file_args.h"

#include <fmt/format.h>

#include "core/counted.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "formats/encoding.h"

namespace sluice::cli {
namespace {

std::string TextOf(const std::string& format, const sources::InputFile& file) {
  std::string text;
  if (format == "csv") {
    const formats::CsvDialect& csv = file.csv;
    text = fmt::format("delimiter {}, quote {}", ShownDelimiter(csv), ShownCharacter(csv.quote));
    if (csv.escape != csv.quote) text += ", escape " + ShownCharacter(csv.escape);
    text += !csv.header ? ", no header" : csv.header_rows > 1 ? ", with a header of " + Counted(csv.header_rows, "row") : ", with header";
    if (csv.trailing_delimiter) text += ", a delimiter at the end of each record";
    if (csv.comment != '\0') text += ", comments " + ShownCharacter(csv.comment);
    if (csv.skip > 0) text += ", after " + Counted(csv.skip, "line");
    if (csv.footer > 0) text += ", before " + Counted(csv.footer, "line");
  }
  if (!file.encoding.empty()) text += (text.empty() ? "" : ", ") + file.encoding;
  return text;
}

}  // namespace

Result<sources::InspectOptions> OptionsOf(const FileArgs& args) {
  sources::InspectOptions options;
  if (args.format == "csv") options.format = sources::FileFormat::kCsv;
  if (args.format == "ndjson") options.format = sources::FileFormat::kNdjson;
  if (args.format == "parquet") options.format = sources::FileFormat::kParquet;
  options.read.compression = args.compression;
  if (!args.encoding.empty()) {
    SLUICE_TRY(options.read.encoding, formats::ParseEncoding(args.encoding));
  }
  sources::CsvPins& csv = options.read.csv;
  csv.delimiter = args.delimiter;
  csv.quote = args.quote;
  csv.escape = args.escape;
  csv.comment = args.comment;
  if (args.header || args.header_rows) csv.header = true;
  if (args.no_header) csv.header = false;
  csv.header_rows = args.header_rows.value_or(1);
  csv.skip = args.skip;
  csv.footer = args.footer.value_or(0);
  options.accept_guesses = args.accept;
  return options;
}

Error WithOptions(Error error) {
  if (error.code == "unsure-dialect") error.hint += "; here by options of the same names, or --accept for the best guess";
  if (error.code == "unsure-encoding") error.hint += "; here: --encoding NAME, or --accept for the best guess";
  return error;
}

std::vector<std::string> DescribeFile(const std::string& format, const sources::InputFile& file) {
  const bool packed = file.compression != formats::Compression::kNone;
  std::vector<std::string> lines = {fmt::format("{}{}{}, {}", format, file.member ? ", zip" : "",
                                                packed ? ", " + std::string(formats::ToString(file.compression)) : "",
                                                FormatBytes(file.object.size))};
  if (std::string text = TextOf(format, file); !text.empty()) lines.push_back(std::move(text));
  return lines;
}

std::string ShownCharacter(char c) { return c == '\0' ? "none" : c == '\t' ? "tab" : c == '\x01' ? "\\x01" : std::string(1, c); }

std::string ShownDelimiter(const formats::CsvDialect& dialect) { return ShownCharacter(dialect.delimiter) + dialect.delimiter_rest; }

}  // namespace sluice::cli
