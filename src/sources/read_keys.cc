#include "sources/read_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "formats/bytes.h"

namespace sluice::sources {
namespace {

using F = FileFormat;

// A key that is not here is of all formats.
const std::vector<std::pair<std::string_view, std::vector<F>>>& FormatsOfKeys() {
  static const std::vector<std::pair<std::string_view, std::vector<F>>> keys = {{"delimiter", {F::kCsv}},
                                                                                {"quote", {F::kCsv}},
                                                                                {"escape", {F::kCsv}},
                                                                                {"comment", {F::kCsv}},
                                                                                {"header", {F::kCsv, F::kXlsx}},
                                                                                {"skip", {F::kCsv, F::kFixed}},
                                                                                {"sheet", {F::kXlsx}},
                                                                                {"range", {F::kXlsx}},
                                                                                {"footer", {F::kCsv}},
                                                                                {"encoding", {F::kCsv, F::kNdjson, F::kJson, F::kFixed}},
                                                                                {"widths", {F::kFixed}},
                                                                                {"short_lines", {F::kFixed}},
                                                                                {"record", {F::kXml}}};
  return keys;
}

WrongKey Wrong(std::string_view key, const std::string& message, const std::string& hint) {
  return {key, UserError("conflicting-keys", message).Hint(hint)};
}

// Two that are the same character could not be told apart.
std::optional<WrongKey> SameCharacter(const CsvPins& csv) {
  const std::pair<std::string_view, const std::optional<std::string>*> marks[] = {
      {"delimiter", &csv.delimiter}, {"quote", &csv.quote}, {"comment", &csv.comment}};
  for (const auto& [key, text] : marks)
    for (const auto& [other, same] : marks)
      if (key < other && *text && *same && !(*text)->empty() && **text == **same)
        return Wrong(other, fmt::format("\"{}\" and \"{}\" are both \"{}\"", key, other, **text),
                     "write what the files have, or leave them out");
  return std::nullopt;
}

}  // namespace

std::optional<Error> KeyOfAnotherFormat(std::string_view key, FileFormat format) {
  for (const auto& [name, formats] : FormatsOfKeys()) {
    if (name != key || std::find(formats.begin(), formats.end(), format) != formats.end()) continue;
    std::vector<std::string> names;
    for (const F one : formats) names.emplace_back(formats::TraitsOf(one).name);
    return UserError("key-of-another-format", fmt::format("\"{}\" is of format: {}", key, Join(names, ", ")))
        .Hint("remove it, or write format: " + names.front());
  }
  return std::nullopt;
}

std::string CharacterText(std::string_view spelt) { return spelt == "tab" || spelt == "\\t" ? "\t" : std::string(spelt); }

std::optional<WrongKey> KeysThatExcludeEachOther(const Read& read) {
  const formats::FormatTraits& format = formats::TraitsOf(read.format);
  if (read.format == F::kXlsx && read.csv.header_rows > 1)
    return Wrong("header", "a workbook has one header row or none",
                 "write header: true or false; range: \"A3:F\" for a table further down");
  if (!read.members.empty() && read.compression != "auto" && read.compression != "zip")
    return Wrong("members", "\"members\" is of zip archives, and compression is " + read.compression, "remove the one or the other");
  if (format.packs_itself && formats::CompressionNamed(read.compression) != formats::Compression::kNone && read.compression != "zip")
    return Wrong("compression",
                 fmt::format("a file of format {} compresses its own parts: around it stands no {}", format.name, read.compression),
                 "remove it, and unpack the files before they come");
  if (read.csv.quote && read.csv.quote->empty() && read.csv.escape && !read.csv.escape->empty())
    return Wrong("escape", "\"escape\" stands before a quote, and \"quote\" says that there are none", "remove the one or the other");
  return SameCharacter(read.csv);
}

}  // namespace sluice::sources
