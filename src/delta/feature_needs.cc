// What a table's schema and properties ask of its protocol; what binds the rows written to it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "delta/features.h"

namespace sluice::delta {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;
using Properties = std::map<std::string, std::string>;

constexpr std::string_view kFeatureProperty = "delta.feature.", kConstraintProperty = "delta.constraints.";

// A feature that a table can have: whether readers must know it, and the versions that imply it (0: only by name).
struct Feature {
  std::string_view name;
  bool for_readers;
  int reader_version, writer_version;
};
constexpr std::array kFeatures = {
    Feature{"appendOnly", false, 0, 2},      Feature{"invariants", false, 0, 2},       Feature{"checkConstraints", false, 0, 3},
    Feature{"changeDataFeed", false, 0, 4},  Feature{"generatedColumns", false, 0, 4}, Feature{"columnMapping", true, 2, 5},
    Feature{"identityColumns", false, 0, 6}, Feature{"deletionVectors", true, 0, 0},   Feature{"timestampNtz", true, 0, 0},
    Feature{"typeWidening", true, 0, 0},     Feature{"v2Checkpoint", true, 0, 0},      Feature{"vacuumProtocolCheck", true, 0, 0},
    Feature{"domainMetadata", false, 0, 0},  Feature{"inCommitTimestamp", false, 0, 0}};
constexpr std::string_view kNotMade = "identityColumns";  // implied by a version, but no table of ours needs it

const Feature* FeatureNamed(std::string_view name) {
  const auto* found = std::find_if(kFeatures.begin(), kFeatures.end(), [&](const Feature& feature) { return feature.name == name; });
  return found == kFeatures.end() || found->name == kNotMade ? nullptr : found;
}

// Properties that switch a feature on, and those that would switch one on that Sluice does not write.
struct Switch {
  std::string_view property, value, feature;
};
constexpr std::array kSwitches = {Switch{"delta.appendOnly", "true", "appendOnly"},
                                  Switch{"delta.enableChangeDataFeed", "true", "changeDataFeed"},
                                  Switch{"delta.columnMapping.mode", "name", "columnMapping"},
                                  Switch{"delta.columnMapping.mode", "id", "columnMapping"},
                                  Switch{"delta.enableDeletionVectors", "true", "deletionVectors"},
                                  Switch{"delta.enableTypeWidening", "true", "typeWidening"},
                                  Switch{"delta.enableInCommitTimestamps", "true", "inCommitTimestamp"},
                                  Switch{"delta.checkpointPolicy", "v2", "v2Checkpoint"}};
constexpr std::array kRefused = {
    Switch{"delta.enableRowTracking", "true", "rowTracking"}, Switch{"delta.enableIcebergCompatV1", "true", "icebergCompatV1"},
    Switch{"delta.enableIcebergCompatV2", "true", "icebergCompatV2"}, Switch{"delta.enableIcebergCompatV3", "true", "icebergCompatV3"},
    Switch{"delta.enableVariantShredding", "true", "variantShredding"}};

bool IsOn(const Properties& properties, const Switch& entry) {
  const auto found = properties.find(std::string(entry.property));
  return found != properties.end() && EqualsIgnoreCase(found->second, entry.value);
}

bool AnyField(const std::vector<Field>& fields, const std::function<bool(const Field&)>& holds) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return holds(field) || AnyField(field.type.children, holds); });
}

Error Unsupported(std::string_view what) {
  return UnsupportedError("unsupported-feature", fmt::format("{} is a table feature that Sluice does not write", what));
}

Result<std::set<std::string_view>> Needs(const contract::Schema& schema, const Properties& properties) {
  for (const Switch& entry : kRefused)
    if (IsOn(properties, entry)) return Fail(Unsupported(entry.feature));
  std::set<std::string_view> needs;
  for (const Switch& entry : kSwitches)
    if (IsOn(properties, entry)) needs.insert(entry.feature);
  for (const auto& [key, value] : properties) {
    if (key.starts_with(kConstraintProperty)) needs.insert("checkConstraints");
    if (!key.starts_with(kFeatureProperty)) continue;
    const Feature* feature = FeatureNamed(std::string_view(key).substr(kFeatureProperty.size()));
    if (feature == nullptr) return Fail(Unsupported(key.substr(kFeatureProperty.size())));
    needs.insert(feature->name);
  }
  if (AnyField(schema.fields, [](const Field& field) { return field.type.kind == TypeKind::kTimestampNtz; })) needs.insert("timestampNtz");
  if (AnyField(schema.fields, [](const Field& field) { return field.metadata.contains("delta.invariants"); })) needs.insert("invariants");
  if (AnyField(schema.fields, [](const Field& field) { return field.metadata.contains("delta.generationExpression"); }))
    needs.insert("generatedColumns");
  return needs;
}

// The writer's features from version 7 on, those that the version before implied among them.
void NameWriterFeatures(Protocol* protocol) {
  if (protocol->min_writer_version < 7) {
    protocol->writer_features.emplace();
    for (const Feature& feature : kFeatures)
      if (feature.writer_version > 0 && feature.writer_version <= protocol->min_writer_version)
        protocol->writer_features->emplace(feature.name);
    protocol->min_writer_version = 7;
  }
  if (!protocol->writer_features) protocol->writer_features.emplace();
}

void NameReaderFeatures(Protocol* protocol) {
  if (protocol->min_reader_version < 3) {
    protocol->reader_features.emplace();
    if (protocol->min_reader_version == 2) protocol->reader_features->insert("columnMapping");
    protocol->min_reader_version = 3;
  }
  if (!protocol->reader_features) protocol->reader_features.emplace();
}

// ---- Constraints

bool IsBelowCollection(const Field& field) {
  return AnyField(field.type.children, [](const Field& child) { return child.metadata.contains("delta.invariants"); });
}

Status AddInvariants(const Field& field, const std::string& path, std::vector<Constraint>* constraints) {
  if (const auto found = field.metadata.find("delta.invariants"); found != field.metadata.end()) {
    // A JSON text of a JSON text: {"expression":{"expression":"x > 3"}}
    const auto text = nlohmann::json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    const auto rule = text.is_string() ? nlohmann::json::parse(text.get<std::string>(), nullptr, /*allow_exceptions=*/false) : text;
    const auto* inner = rule.is_object() && rule.contains("expression") ? &rule["expression"] : nullptr;
    if (inner == nullptr || !inner->is_object() || !inner->contains("expression") || !(*inner)["expression"].is_string())
      return Fail(BadLog(fmt::format("the invariant of column {} cannot be read: {}", path, found->second)));
    constraints->push_back({fmt::format("invariant of {}", path), (*inner)["expression"].get<std::string>()});
  }
  if (field.type.kind == TypeKind::kStruct) {
    for (const Field& child : field.type.children) SLUICE_CHECK(AddInvariants(child, path + "." + child.name, constraints));
  } else if (IsBelowCollection(field)) {
    return Fail(UnsupportedError("unsupported-feature", fmt::format("column {} has an invariant on its elements", path)));
  }
  return Ok();
}

}  // namespace

Result<Protocol> ProtocolFor(const contract::Schema& schema, const Properties& properties, const std::optional<Protocol>& current) {
  SLUICE_TRY(const auto needs, Needs(schema, properties));
  Protocol protocol = current.value_or(Protocol{});
  std::vector<const Feature*> features;
  for (const std::string_view name : needs) features.push_back(FeatureNamed(name));
  const bool by_name = std::any_of(features.begin(), features.end(), [](const Feature* feature) { return feature->writer_version == 0; });
  if (by_name) NameWriterFeatures(&protocol);
  if (std::any_of(features.begin(), features.end(), [](const Feature* f) { return f->for_readers && f->writer_version == 0; }))
    NameReaderFeatures(&protocol);
  for (const Feature* feature : features) {
    if (protocol.min_writer_version >= 7) {
      NameWriterFeatures(&protocol);
      protocol.writer_features->emplace(feature->name);
    } else {
      protocol.min_writer_version = std::max(protocol.min_writer_version, feature->writer_version);
    }
    if (!feature->for_readers) continue;
    if (protocol.min_reader_version >= 3) {
      NameReaderFeatures(&protocol);
      protocol.reader_features->emplace(feature->name);
    } else {
      protocol.min_reader_version = std::max(protocol.min_reader_version, feature->reader_version);
    }
  }
  return protocol;
}

Properties StoredProperties(Properties properties) {
  std::erase_if(properties, [](const auto& entry) { return entry.first.starts_with(kFeatureProperty); });
  return properties;
}

Result<std::vector<Constraint>> ConstraintsOf(const Protocol& protocol, const Metadata& metadata, const contract::Schema& schema) {
  std::vector<Constraint> constraints;
  if (BindsWriters(protocol, "checkConstraints"))
    for (const auto& [key, value] : metadata.configuration)
      if (key.starts_with(kConstraintProperty)) constraints.push_back({key.substr(kConstraintProperty.size()), value});
  if (BindsWriters(protocol, "invariants"))
    for (const Field& field : schema.fields) SLUICE_CHECK(AddInvariants(field, field.name, &constraints));
  return constraints;
}

}  // namespace sluice::delta
