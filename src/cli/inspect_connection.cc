#include "cli/inspect_connection.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "formats/bytes.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

Result<int> ListAll(Context& context, const std::string& name, sources::Catalog& catalog) {
  SLUICE_TRY(const auto tables, catalog.List());
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
  context.io.out << fmt::format("\n`sluice inspect {}.TABLE` proposes a source for one.\n", name);
  return kDone;
}

Result<int> ShowOne(Context& context, sources::Catalog& catalog, const std::string& table) {
  SLUICE_TRY(const auto proposed, catalog.Propose(table));
  if (!context.globals.json) {
    context.io.out << proposed.yaml;
    return kDone;
  }
  ordered_json out = {{"table", proposed.name}, {"primary_key", proposed.primary_key}, {"cursor", proposed.cursor}};
  for (const auto& column : proposed.columns) out["columns"].push_back({{"name", column.name}, {"type", column.type.ToString()}});
  out["source"] = proposed.yaml;
  context.io.out << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  return kDone;
}

}  // namespace

Result<std::unique_ptr<sources::Catalog>> CatalogOf(const project::Connection& connection) {
  sources::SourceSpec spec;
  spec.connection_type = connection.type;
  std::error_code failed;
  spec.scratch_dir = std::filesystem::temp_directory_path(failed).string();
  if (failed) spec.scratch_dir = ".";
  SLUICE_TRY(spec.peer, project::ResolvePeer(connection));
  return sources::OpenCatalog(spec);
}

std::optional<Result<int>> InspectConnection(Context& context, const std::string& what) {
  const std::string file = PlaceOf(context, what);
  if (std::error_code failed; std::filesystem::exists(file, failed)) return std::nullopt;
  const auto project = LoadConnectionsOf(context);
  if (!project) return std::nullopt;
  const size_t dot = what.find('.');
  const auto found = project->connections.find(what.substr(0, dot));
  if (found == project->connections.end() || !sources::GivesRows(found->second.type)) return std::nullopt;
  const auto catalog = CatalogOf(found->second);
  if (!catalog) return Fail(catalog.error());
  return dot == std::string::npos ? ListAll(context, what, **catalog) : ShowOne(context, **catalog, what.substr(dot + 1));
}

}  // namespace sluice::cli
