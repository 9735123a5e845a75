// inspect: how one file is written, and what its contract may be.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/file_args.h"
#include "cli/inspect_connection.h"
#include "core/counted.h"
#include "core/one_line.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "formats/format.h"

namespace sluice::cli {
namespace {

nlohmann::ordered_json ToJson(const sources::Misfit& misfit) {
  return {
      {"line", misfit.place.line}, {"row", misfit.place.row}, {"column", misfit.column}, {"value", misfit.value}, {"message", misfit.why}};
}

nlohmann::ordered_json ToJson(const formats::CsvDialect& csv) {
  return {{"delimiter", ShownDelimiter(csv)},
          {"quote", ShownCharacter(csv.quote)},
          {"escape", ShownCharacter(csv.escape)},
          {"comment", ShownCharacter(csv.comment)},
          {"header", csv.header},
          {"header_rows", csv.header ? csv.header_rows : 0},
          {"skip", csv.skip},
          {"footer", csv.footer}};
}

// How it is written.
void AddFile(const std::string& format, const sources::InputFile& file, nlohmann::ordered_json* out) {
  const formats::FormatTraits* traits = formats::FormatNamed(format);  // none of a Delta table
  const bool text = traits != nullptr && traits->text;
  (*out)["compression"] = formats::ToString(file.compression);
  if (text) (*out)["encoding"] = file.encoding.empty() ? "utf-8" : file.encoding;
  if (format == "csv") (*out)["dialect"] = ToJson(file.csv);
  if (!file.doubts.empty()) (*out)["guesses"] = file.doubts;
}

nlohmann::ordered_json ToJson(const sources::Inspection& seen) {
  const sources::InputFile& first = seen.files.front();
  nlohmann::ordered_json out = {
      {"file", seen.file}, {"format", seen.format}, {"bytes", first.object.size}, {"records", seen.profile.records}};
  if (!first.member) AddFile(seen.format, first, &out);
  for (const sources::InputFile& file : seen.files) {
    if (!file.member) continue;
    AddFile(seen.format, file, &out["members"].emplace_back(nlohmann::ordered_json{{"member", file.member.path}}));
  }
  if (!seen.odd_members.empty()) out["members_of_other_formats"] = seen.odd_members;
  for (const auto& column : seen.profile.columns) {
    nlohmann::ordered_json one = {{"field", column.field},
                                  {"type", column.inferred.type.ToString()},
                                  {"nulls", column.nulls},
                                  {"distinct", column.distinct_count},
                                  {"misfits", column.misfits}};
    if (!column.inferred.doubt.empty()) one["doubt"] = column.inferred.doubt;
    out["columns"].push_back(std::move(one));
  }
  out["unreadable"] = seen.profile.unreadable;
  out["misfits"] = nlohmann::ordered_json::array();
  for (const auto& misfit : seen.profile.misfits) out["misfits"].push_back(ToJson(misfit));
  out["read"] = seen.read_yaml;
  out["contract"] = seen.contract_yaml;
  return out;
}

std::string Misfit(const sources::Misfit& misfit) {
  const std::string at = misfit.place.line > 0 ? fmt::format("line {}", misfit.place.line) : fmt::format("row {}", misfit.place.row);
  std::string value = misfit.value.size() > 60 ? misfit.value.substr(0, 57) + "..." : misfit.value;
  value = IsValidUtf8(value) ? OnOneLine(value) : "…";
  return fmt::format("{}  {}{}  {}", at, misfit.column.empty() ? "" : misfit.column + "=", value, misfit.why);
}

void Print(std::ostream& out, const FileArgs& args, const sources::Inspection& seen) {
  for (const sources::InputFile& file : seen.files) {
    const auto lines = DescribeFile(seen.format, file);
    out << fmt::format("# {}: {}\n", ShownFile(args, file), lines[0]);
    for (size_t i = 1; i < lines.size(); ++i) out << "# " << lines[i] << "\n";
  }
  if (!seen.odd_members.empty()) out << "# CHECK: " << OddMembersText(seen.odd_members, seen.format) << "\n";
  const auto& profile = seen.profile;
  out << fmt::format("# {} {}{}\n", Counted(profile.records, "record"), profile.whole ? "in all" : "looked at",
                     profile.unreadable > 0 ? fmt::format(", {} broken", FormatCount(profile.unreadable)) : "");
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& column : profile.columns)
    rows.push_back({column.field, column.inferred.type.ToString(), FormatCount(column.nulls), FormatCount(column.distinct_count),
                    column.pii, FormatCount(column.misfits)});
  out << "\n" << RenderTable({"field", "type", "nulls", "distinct", "pii", "do not fit"}, rows, {false, false, true, true, false, true});
  if (!profile.misfits.empty()) out << "\nrecords that do not fit:\n";
  for (const auto& misfit : profile.misfits) out << "  " << Misfit(misfit) << "\n";
  out << "\n" << seen.read_yaml << seen.contract_yaml;
}

Result<int> InspectOne(Context& context, const FileArgs& args) {
  SLUICE_TRY(const auto options, OptionsOf(args));
  auto seen = sources::InspectFile(PathOf(context, args), options);
  if (!seen) return Fail(WithOptions(std::move(seen).error()));
  for (const sources::InputFile& file : seen->files)
    for (const std::string& doubt : file.doubts) context.io.err << "guessed: " << doubt << "\n";
  if (context.globals.json)
    context.io.out << ToJson(*seen).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else
    Print(context.io.out, args, *seen);
  return kDone;
}

}  // namespace

int Inspect(Context& context, const FileArgs& args) {
  const auto of_connection = InspectConnection(context, args.file);
  const auto result = of_connection ? *of_connection : InspectOne(context, args);
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
