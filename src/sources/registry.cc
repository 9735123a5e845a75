#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "formats/column_plan.h"
#include "sources/catalog.h"
#include "sources/command/command_source.h"
#include "sources/files/files_source.h"
#include "sources/http/http_catalog.h"
#include "sources/http/http_source.h"
#include "sources/postgres/postgres_catalog.h"
#include "sources/postgres/postgres_source.h"
#include "sources/source.h"

namespace sluice::sources {
namespace {

// Of files or of rows.
struct Connector {
  const char* type;
  Result<std::unique_ptr<FileSource>> (*open_files)(const SourceSpec&);
  Result<std::unique_ptr<RowSource>> (*open_rows)(const SourceSpec&);
  Result<std::unique_ptr<Catalog>> (*open_catalog)(const SourceSpec&);
};

// Every connector has its line here.
constexpr std::array kConnectors = {
    Connector{"files", OpenFilesSource, nullptr, nullptr},
    Connector{"postgres", nullptr, postgres::OpenPostgresSource, postgres::OpenPostgresCatalog},
    Connector{"http", nullptr, http::OpenHttpSource, http::OpenHttpCatalog},
    Connector{"command", nullptr, OpenCommandSource, nullptr},  // of no connection: read: { command: […] }
};

const Connector* Find(std::string_view type) {
  for (const Connector& connector : kConnectors)
    if (type == connector.type) return &connector;
  return nullptr;
}

Error UnknownType(const std::string& type) {
  const std::vector<std::string> types = ConnectionTypes();
  return UserError("unknown-connection-type", fmt::format("there is no connector \"{}\"{}", type, DidYouMean(type, types)))
      .Hint("connection types: " + Join(types, ", "));
}

}  // namespace

Result<std::vector<contract::Field>> RowSource::NewColumns(const formats::ReadRequest& request) {
  SLUICE_TRY(const std::vector<contract::Field> columns, Columns());
  std::vector<std::string> names;
  for (const contract::Field& column : columns) names.push_back(column.name);
  std::vector<contract::Field> found;
  for (const std::string& name : formats::NewColumnNames(request, names))
    found.push_back(*std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return Trim(column.name) == name; }));
  return found;
}

std::vector<std::string> ConnectionTypes() {
  std::vector<std::string> types;
  for (const Connector& connector : kConnectors) types.emplace_back(connector.type);
  return types;
}

bool GivesRows(std::string_view connection_type) {
  const Connector* connector = Find(connection_type);
  return connector != nullptr && connector->open_rows != nullptr;
}

Result<std::unique_ptr<FileSource>> OpenSource(const SourceSpec& spec) {
  const Connector* connector = Find(spec.connection_type);
  if (connector == nullptr || connector->open_files == nullptr) return Fail(UnknownType(spec.connection_type));
  return connector->open_files(spec);
}

Result<std::unique_ptr<RowSource>> OpenRowSource(const SourceSpec& spec) {
  const Connector* connector = Find(spec.connection_type);
  if (connector == nullptr || connector->open_rows == nullptr) return Fail(UnknownType(spec.connection_type));
  return connector->open_rows(spec);
}

Result<std::unique_ptr<Catalog>> OpenCatalog(const SourceSpec& spec) {
  const Connector* connector = Find(spec.connection_type);
  if (connector == nullptr || connector->open_catalog == nullptr) return Fail(UnknownType(spec.connection_type));
  return connector->open_catalog(spec);
}

}  // namespace sluice::sources
