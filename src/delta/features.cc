// Which tables Sluice can read and write (PROTOCOL.md, "Table Features").
#include "delta/features.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/column_mapping.h"
#include "delta/snapshot.h"

namespace sluice::delta {
namespace {

using Features = std::set<std::string>;

const Features kReadable = {"columnMapping",        "deletionVectors", "timestampNtz",       "typeWidening",
                            "typeWidening-preview", "v2Checkpoint",    "vacuumProtocolCheck"};

// Each is written as the protocol asks: by the writer of data files, the planner of changes, or the commit itself.
const Features kWritable = {"appendOnly",     "changeDataFeed",       "checkConstraints",  "columnMapping",      "deletionVectors",
                            "domainMetadata", "generatedColumns",     "inCommitTimestamp", "invariants",         "timestampNtz",
                            "typeWidening",   "typeWidening-preview", "v2Checkpoint",      "vacuumProtocolCheck"};

// What the versions before table features imply, each with those before it.
struct Implied {
  int version;
  std::string_view feature;
};
constexpr Implied kImpliedForWriters[] = {{2, "appendOnly"},       {2, "invariants"},    {3, "checkConstraints"}, {4, "changeDataFeed"},
                                          {4, "generatedColumns"}, {5, "columnMapping"}, {6, "identityColumns"}};

Features WriterFeatures(const Protocol& protocol) {
  if (protocol.min_writer_version >= 7) return protocol.writer_features.value_or(Features{});
  Features features;
  for (const auto& implied : kImpliedForWriters)
    if (implied.version <= protocol.min_writer_version) features.emplace(implied.feature);
  return features;
}

bool AnyField(const std::vector<contract::Field>& fields, std::string_view key_prefix) {
  return std::any_of(fields.begin(), fields.end(), [&](const contract::Field& field) {
    const auto key = field.metadata.lower_bound(std::string(key_prefix));
    return (key != field.metadata.end() && key->first.starts_with(key_prefix)) || AnyField(field.type.children, key_prefix);
  });
}

// A supported feature binds us only where the table makes use of it.
bool IsActive(const std::string& feature, const contract::Schema& schema) {
  if (feature == "identityColumns") return AnyField(schema.fields, "delta.identity.");
  if (feature == "allowColumnDefaults") return AnyField(schema.fields, "CURRENT_DEFAULT");
  return true;
}

Error Unsupported(std::string_view verb, const std::vector<std::string>& names) {
  return UnsupportedError("unsupported-feature",
                          fmt::format("the table needs {} to be {}, which Sluice does not support", Join(names, ", "), verb));
}

}  // namespace

bool BindsWriters(const Protocol& protocol, const std::string& feature) { return WriterFeatures(protocol).contains(feature); }

bool IsEnabled(const Metadata& metadata, const std::string& property) {
  const auto it = metadata.configuration.find(property);
  return it != metadata.configuration.end() && EqualsIgnoreCase(it->second, "true");
}

Status CheckReadable(const Protocol& protocol, const Metadata& metadata) {
  std::vector<std::string> unknown;
  if (protocol.min_reader_version > 3) unknown.push_back(fmt::format("reader version {}", protocol.min_reader_version));
  if (protocol.min_reader_version == 3) {
    const Features features = protocol.reader_features.value_or(Features{});
    std::set_difference(features.begin(), features.end(), kReadable.begin(), kReadable.end(), std::back_inserter(unknown));
  }
  if (metadata.format_provider != "parquet") unknown.push_back(fmt::format("data files of format {}", metadata.format_provider));
  return unknown.empty() ? Ok() : Status(Fail(Unsupported("read", unknown)));
}

Status CheckWritable(const Protocol& protocol, const Metadata& metadata) {
  SLUICE_CHECK(CheckReadable(protocol, metadata));
  SLUICE_TRY(auto schema, ParseSchemaString(metadata.schema_string));
  std::vector<std::string> unknown;
  if (protocol.min_writer_version > 7) unknown.push_back(fmt::format("writer version {}", protocol.min_writer_version));
  for (const auto& feature : WriterFeatures(protocol))
    if (!kWritable.contains(feature) && IsActive(feature, schema)) unknown.push_back(feature);
  return unknown.empty() ? Ok() : Status(Fail(Unsupported("written", unknown)));
}

Status CheckAppendOnly(const Protocol& protocol, const Metadata& metadata, const std::vector<Action>& actions) {
  if (!BindsWriters(protocol, "appendOnly") || !IsEnabled(metadata, "delta.appendOnly")) return Ok();
  for (const Action& action : actions) {
    const auto* remove = std::get_if<Remove>(&action);
    if (remove && remove->data_change)
      return Fail(UserError("append-only-table", "the table has delta.appendOnly set: its rows may be neither removed nor changed"));
  }
  return Ok();
}

}  // namespace sluice::delta
