#include "tables/show.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "core/time.h"
#include "delta/json_text.h"
#include "tables/history.h"

namespace sluice::tables {
namespace {

using delta::JsonObject;
using nlohmann::ordered_json;

void WriteValues(const delta::PartitionValues& values, std::string* out) {
  JsonObject object(out);
  for (const auto& [name, value] : values) {
    if (value)
      object.Text(name, *value);
    else
      object.Raw(name, "null");
  }
  object.Close();
}

void WriteVector(const delta::DeletionVector& dv, std::string* out) {
  JsonObject object(out);
  object.Text("storage_type", dv.storage_type);
  object.Text("path_or_inline", dv.path_or_inline);
  if (dv.offset) object.Int("offset", *dv.offset);
  object.Int("size", dv.size_in_bytes);
  object.Int("cardinality", dv.cardinality);
  object.Close();
}

// Statistics stand in the log as a text of JSON; whoever wrote none that can be read gets it back as text.
void WriteStats(JsonObject& object, const std::string& stats) {
  if (stats.empty()) return;
  if (nlohmann::json::accept(stats) && stats.find('\n') == std::string::npos)
    object.Raw("statistics", stats);
  else
    object.Text("statistics", stats);
}

void WriteFile(const delta::Add& add, std::string* out) {
  JsonObject object(out);
  object.Text("path", add.path);
  object.Int("size", add.size);
  object.Text("modified", FormatInstant({add.modification_time * 1000}));
  object.Key("partition_values");
  WriteValues(add.partition_values, out);
  WriteStats(object, add.stats);
  if (add.deletion_vector) {
    object.Key("deletion_vector");
    WriteVector(*add.deletion_vector, out);
  }
  if (!add.tags.empty()) object.Raw("tags", nlohmann::json(add.tags).dump());
  object.Close();
}

ordered_json ProtocolJson(const delta::Protocol& protocol) {
  ordered_json json = {{"min_reader_version", protocol.min_reader_version}, {"min_writer_version", protocol.min_writer_version}};
  if (protocol.reader_features) json["reader_features"] = *protocol.reader_features;
  if (protocol.writer_features) json["writer_features"] = *protocol.writer_features;
  return json;
}

ordered_json Head(const delta::Snapshot& snapshot, const std::string& table, const std::string& location) {
  const TableSummary summary = Summarise(snapshot);
  ordered_json json = {{"table", table}, {"location", location}, {"id", summary.id}};
  if (snapshot.metadata.name) json["name"] = *snapshot.metadata.name;
  if (!summary.description.empty()) json["description"] = summary.description;
  json["version"] = summary.version;
  json["timestamp"] = FormatInstant({summary.timestamp * 1000});
  json["protocol"] = ProtocolJson(snapshot.protocol);
  json["schema"] = ordered_json::parse(delta::ToSchemaString(snapshot.schema), nullptr, /*allow_exceptions=*/false);
  for (const auto& field : summary.schema.fields)
    json["columns"].push_back({{"name", field.name}, {"type", field.type.ToString()}, {"nullable", field.nullable}});
  json["partition_columns"] = summary.partition_columns;
  json["partitions"] = summary.partitions;
  json["configuration"] = summary.properties;
  json["files"] = summary.files;
  json["bytes"] = summary.bytes;
  json["rows"] = summary.rows < 0 ? ordered_json() : ordered_json(summary.rows);
  json["transactions"] = ordered_json::object();
  for (const auto& [app, txn] : snapshot.txns) json["transactions"][app] = txn.version;
  json["domain_metadata"] = ordered_json::object();
  for (const auto& [name, domain] : snapshot.domains) json["domain_metadata"][name] = domain.configuration;
  return json;
}

}  // namespace

void WriteSnapshot(std::ostream& out, const delta::Snapshot& snapshot, const std::string& table, const std::string& location) {
  std::string text = Head(snapshot, table, location).dump(2, ' ', false, ordered_json::error_handler_t::replace);
  text.resize(text.rfind('\n'));  // without the closing brace
  out << text << ",\n  \"data_files\": [";
  std::string line;
  bool first = true;
  for (const delta::Add& add : snapshot.files) {
    line = first ? "\n    " : ",\n    ";
    first = false;
    WriteFile(add, &line);
    out << line;
  }
  out << (first ? "]\n}\n" : "\n  ]\n}\n");
}

}  // namespace sluice::tables
