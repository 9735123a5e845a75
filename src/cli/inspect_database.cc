#include "cli/inspect_database.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "formats/bytes.h"
#include "sources/postgres/look.h"
#include "sources/postgres/postgres_source.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

Result<int> ListAll(Context& context, const sources::postgres::Settings& settings) {
  SLUICE_TRY(const auto tables, sources::postgres::ListTables(settings, nullptr));
  if (context.globals.json) {
    ordered_json out = ordered_json::array();
    for (const auto& table : tables)
      out.push_back({{"table", table.name}, {"kind", table.kind}, {"rows_about", table.rows}, {"bytes", table.bytes}});
    context.io.out << out.dump(2) << "\n";
    return kDone;
  }
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& table : tables) rows.push_back({table.name, table.kind, FormatCount(table.rows), FormatBytes(table.bytes)});
  context.io.out << RenderTable({"table", "kind", "rows, about", "size"}, rows, {false, false, true, true});
  context.io.out << fmt::format("\n`sluice inspect {}.TABLE` proposes a source for one.\n", settings.name);
  return kDone;
}

Result<int> ShowOne(Context& context, const sources::postgres::Settings& settings, const std::string& table) {
  SLUICE_TRY(const auto look, sources::postgres::LookAtTable(settings, table, nullptr));
  const std::string yaml = sources::postgres::SourceYaml(settings.name, look);
  if (!context.globals.json) {
    context.io.out << yaml;
    return kDone;
  }
  ordered_json out = {
      {"table", look.table}, {"primary_key", look.constraints.primary_key}, {"cursor", sources::postgres::CursorColumn(look)}};
  for (const auto& column : look.columns)
    out["columns"].push_back({{"name", column.name}, {"type", sources::postgres::ContractTypeOf(column.type).ToString()}});
  out["source"] = yaml;
  context.io.out << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  return kDone;
}

}  // namespace

std::optional<Result<int>> InspectDatabase(Context& context, const std::string& what) {
  const std::string file = PlaceOf(context, what);
  if (std::error_code failed; std::filesystem::exists(file, failed)) return std::nullopt;
  const auto project = LoadConnectionsOf(context);
  if (!project) return std::nullopt;
  const size_t dot = what.find('.');
  const auto found = project->connections.find(what.substr(0, dot));
  if (found == project->connections.end() || !found->second.postgres) return std::nullopt;
  const auto settings = project::ResolvePostgres(found->second);
  if (!settings) return Fail(settings.error());
  return dot == std::string::npos ? ListAll(context, *settings) : ShowOne(context, *settings, what.substr(dot + 1));
}

}  // namespace sluice::cli
