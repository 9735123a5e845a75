#include "cli/file_args.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/counted.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/format.h"
#include "formats/xlsx_cells.h"
#include "sources/read_keys.h"

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

// The keys of `read` that the options say.
std::vector<std::string> GivenKeys(const FileArgs& args) {
  const std::pair<const char*, bool> keys[] = {{"compression", args.compression != "auto"},
                                               {"members", !args.members.empty()},
                                               {"encoding", !args.encoding.empty()},
                                               {"delimiter", args.delimiter.has_value()},
                                               {"quote", args.quote.has_value()},
                                               {"escape", args.escape.has_value()},
                                               {"comment", args.comment.has_value()},
                                               {"header", args.header || args.no_header || args.header_rows},
                                               {"skip", args.skip.has_value()},
                                               {"footer", args.footer.has_value()},
                                               {"sheet", !args.sheet.empty()},
                                               {"range", !args.range.empty()},
                                               {"widths", !args.widths.empty()},
                                               {"short_lines", !args.short_lines.empty()},
                                               {"record", !args.record.empty()}};
  std::vector<std::string> given;
  for (const auto& [key, said] : keys)
    if (said) given.emplace_back(key);
  return given;
}

std::optional<std::string> CharacterOf(const std::optional<std::string>& spelt) {
  return spelt ? std::optional(sources::CharacterText(*spelt)) : std::nullopt;
}

sources::CsvPins CsvOf(const FileArgs& args) {
  sources::CsvPins csv;
  csv.delimiter = CharacterOf(args.delimiter);
  csv.quote = CharacterOf(args.quote);
  csv.escape = CharacterOf(args.escape);
  csv.comment = CharacterOf(args.comment);
  if (args.header || args.header_rows) csv.header = true;
  if (args.no_header) csv.header = false;
  csv.header_rows = args.header_rows.value_or(1);
  csv.skip = args.skip;
  csv.footer = args.footer.value_or(0);
  return csv;
}

Result<formats::FormatOptions> FormatOptionsOf(const FileArgs& args) {
  formats::FormatOptions options;
  if (!args.range.empty() && !formats::ParseRange(args.range))
    return Fail(
        UserError("bad-range", fmt::format("\"{}\" is no range of cells", args.range)).Hint("write \"B3:F\", \"A1:D100\" or \"A:F\""));
  options.xlsx.sheet = args.sheet;
  options.xlsx.range = args.range;
  if (args.header || args.no_header || args.header_rows) options.xlsx.header = !args.no_header;
  options.record = args.record;
  options.fixed.skip = args.skip.value_or(0);
  options.fixed.pad = args.short_lines == "pad";
  int64_t at = 0;
  for (const int64_t width : args.widths) {
    options.fixed.fields.push_back({fmt::format("column_{}", options.fixed.fields.size() + 1), at, width});
    at += width;
  }
  return options;
}

}  // namespace

Result<sources::InspectOptions> OptionsOf(const FileArgs& args) {
  sources::InspectOptions options;
  if (const formats::FormatTraits* format = formats::FormatNamed(args.format)) options.format = format->format;
  options.read.compression = args.compression;
  options.read.members = args.members;
  if (!args.encoding.empty()) {
    SLUICE_TRY(options.read.encoding, formats::ParseEncoding(args.encoding));
  }
  options.read.csv = CsvOf(args);
  SLUICE_TRY(options.read.options, FormatOptionsOf(args));
  options.given = GivenKeys(args);
  options.accept_guesses = args.accept;
  return options;
}

std::string PathOf(const Context& context, const FileArgs& args) {
  return context.globals.dir == "." ? args.file : PlaceOf(context, args.file);
}

Error WithOptions(Error error) {
  if (error.code == "unsure-dialect") error.hint += "; here by options of the same names, or --accept for the best guess";
  if (error.code == "unsure-encoding") error.hint += "; here: --encoding NAME, or --accept for the best guess";
  if (error.code == "wrong-format") error.hint += "; here: --input-format xlsx";
  if (error.code == "key-of-another-format") error.hint = "leave the option out, or say with --input-format what the file is";
  if (error.code == "unsure-header" || error.code == "missing-key") error.hint += "; here by options of the same names";
  return error;
}

std::string OddMembersText(const std::vector<std::string>& members, const std::string& format) {
  constexpr size_t kShown = 3;
  if (members.empty()) return "";
  const std::vector<std::string> some(members.begin(), members.begin() + static_cast<int64_t>(std::min(members.size(), kShown)));
  return fmt::format("{}{} {} read as {}, as the first member is: --members \"*.{}\" picks some", Join(some, ", "),
                     members.size() > kShown ? fmt::format(" and {} more", members.size() - kShown) : "",
                     members.size() == 1 ? "is" : "are", format, format);
}

std::string ShownFile(const FileArgs& args, const sources::InputFile& file) {
  return file.member ? args.file + "/" + file.member.path : args.file;
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
