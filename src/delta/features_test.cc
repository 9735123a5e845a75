#include "delta/features.h"

#include <gtest/gtest.h>

#include "delta/column_mapping.h"
#include "delta/path.h"
#include "delta/snapshot.h"

namespace sluice::delta {
namespace {

Metadata MetadataWith(std::map<std::string, std::string> configuration, const std::string& field_metadata = "{}") {
  return {.id = "id",
          .schema_string = R"({"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":)" + field_metadata + "}]}",
          .configuration = std::move(configuration)};
}
Protocol WithWriterFeatures(std::set<std::string> features) { return {3, 7, std::set<std::string>{}, std::move(features)}; }

std::string Refusal(const Protocol& protocol, const Metadata& metadata = MetadataWith({})) {
  const auto status = CheckWritable(protocol, metadata);
  return status ? "" : status.error().message;
}

TEST(Features, PlainTablesAreWritableWhateverTheirVersion) {
  for (int version = 1; version <= 6; ++version) EXPECT_EQ(Refusal({1, version, {}, {}}), "") << version;
  EXPECT_NE(Refusal({1, 8, {}, {}}).find("writer version 8"), std::string::npos);
}

TEST(Features, WhatBindsWritersIsRefusedWhereTheTableUsesIt) {
  EXPECT_NE(Refusal({1, 6, {}, {}}, MetadataWith({}, R"({"delta.identity.start":1})")).find("identityColumns"), std::string::npos);
  EXPECT_NE(
      Refusal(WithWriterFeatures({"allowColumnDefaults"}), MetadataWith({}, R"({"CURRENT_DEFAULT":"1"})")).find("allowColumnDefaults"),
      std::string::npos);
  EXPECT_EQ(Refusal(WithWriterFeatures({"identityColumns", "allowColumnDefaults"})), "");  // no column makes use of them
}

TEST(Features, WhatSluiceWritesIsWritable) {
  EXPECT_EQ(Refusal({1, 2, {}, {}}, MetadataWith({}, R"({"delta.invariants":"{}"})")), "");
  EXPECT_EQ(Refusal({2, 5, {}, {}}, MetadataWith({{"delta.constraints.x", "a > 1"}, {"delta.columnMapping.mode", "name"}})), "");
  std::set<std::string> readers = {"columnMapping", "deletionVectors", "timestampNtz",
                                   "typeWidening",  "v2Checkpoint",    "vacuumProtocolCheck"};
  std::set<std::string> writers = {"appendOnly",       "changeDataFeed",    "checkConstraints", "domainMetadata",
                                   "generatedColumns", "inCommitTimestamp", "invariants"};
  writers.insert(readers.begin(), readers.end());
  EXPECT_EQ(Refusal({3, 7, readers, writers}), "");
}

Protocol Needed(std::map<std::string, std::string> properties, std::optional<Protocol> current = std::nullopt) {
  return *ProtocolFor(contract::Schema{{{"a", contract::DataType::Of(contract::TypeKind::kBigint)}}}, properties, current);
}

TEST(Features, ATableGetsTheLowestProtocolThatDoes) {
  EXPECT_EQ(Needed({}), (Protocol{1, 2, {}, {}}));
  EXPECT_EQ(Needed({{"delta.constraints.x", "a > 1"}}), (Protocol{1, 3, {}, {}}));
  EXPECT_EQ(Needed({{"delta.enableChangeDataFeed", "true"}}), (Protocol{1, 4, {}, {}}));
  EXPECT_EQ(Needed({{"delta.enableChangeDataFeed", "false"}}), (Protocol{1, 2, {}, {}}));
  EXPECT_EQ(Needed({{"delta.columnMapping.mode", "name"}}), (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(Needed({{"delta.enableDeletionVectors", "true"}}),
            (Protocol{3, 7, {{"deletionVectors"}}, {{"appendOnly", "invariants", "deletionVectors"}}}));
  EXPECT_EQ(Needed({{"delta.enableInCommitTimestamps", "true"}}),
            (Protocol{1, 7, {}, {{"appendOnly", "invariants", "inCommitTimestamp"}}}));
  EXPECT_EQ(Needed({{"delta.feature.domainMetadata", "supported"}}),
            (Protocol{1, 7, {}, {{"appendOnly", "invariants", "domainMetadata"}}}));
}

TEST(Features, AHigherProtocolKeepsWhatItHas) {
  // Column mapping by version becomes a feature by name, for readers too.
  EXPECT_EQ(Needed({{"delta.columnMapping.mode", "name"}, {"delta.enableDeletionVectors", "true"}}, Protocol{2, 5, {}, {}}),
            (Protocol{3,
                      7,
                      {{"columnMapping", "deletionVectors"}},
                      {{"appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "columnMapping",
                        "deletionVectors"}}}));
  EXPECT_EQ(Needed({}, Protocol{3, 7, {{"vacuumProtocolCheck"}}, {{"vacuumProtocolCheck"}}}),
            (Protocol{3, 7, {{"vacuumProtocolCheck"}}, {{"vacuumProtocolCheck"}}}));
}

TEST(Features, PropertiesOfFeaturesThatSluiceDoesNotWriteAreRefused) {
  for (const std::string property : {"delta.enableRowTracking", "delta.enableIcebergCompatV2", "delta.feature.clustering",
                                     "delta.feature.identityColumns", "delta.feature.allowColumnDefaults", "delta.feature.variantType"}) {
    const auto protocol = ProtocolFor({}, {{property, "true"}}, std::nullopt);
    ASSERT_FALSE(protocol) << property;
    EXPECT_EQ(protocol.error().code, "unsupported-feature");
  }
  EXPECT_EQ(StoredProperties({{"delta.feature.deletionVectors", "supported"}, {"delta.appendOnly", "true"}}),
            (std::map<std::string, std::string>{{"delta.appendOnly", "true"}}));
}

TEST(Features, ConstraintsAndInvariantsAreListed) {
  const Metadata metadata =
      MetadataWith({{"delta.constraints.positive", "a > 0"}}, R"({"delta.invariants":"{\"expression\":{\"expression\":\"a > 3\"}}"})");
  const auto schema = *ParseSchemaString(metadata.schema_string);
  EXPECT_EQ(*ConstraintsOf({1, 3, {}, {}}, metadata, schema),
            (std::vector<Constraint>{{"positive", "a > 0"}, {"invariant of a", "a > 3"}}));
  EXPECT_EQ(*ConstraintsOf({1, 2, {}, {}}, metadata, schema), (std::vector<Constraint>{{"invariant of a", "a > 3"}}));
  EXPECT_TRUE(ConstraintsOf(WithWriterFeatures({}), metadata, schema)->empty());
  const Metadata broken = MetadataWith({}, R"({"delta.invariants":"{}"})");
  EXPECT_FALSE(ConstraintsOf({1, 2, {}, {}}, broken, *ParseSchemaString(broken.schema_string)));
}

TEST(Features, UnknownWriterFeaturesAreRefusedByName) {
  EXPECT_NE(
      Refusal(WithWriterFeatures({"icebergCompatV2", "rowTracking", "appendOnly"})).find("icebergCompatV2, rowTracking to be written"),
      std::string::npos);
}

TEST(Features, DataFilesOfAnotherFormatAreRefused) {
  Metadata metadata = MetadataWith({});
  metadata.format_provider = "orc";
  EXPECT_FALSE(CheckReadable({1, 2, {}, {}}, metadata));
}

TEST(Features, AppendOnlyTablesKeepTheirRows) {
  const Metadata append_only = MetadataWith({{"delta.appendOnly", "true"}});
  EXPECT_TRUE(CheckAppendOnly({1, 2, {}, {}}, append_only, {Add{.path = "a"}, Remove{.path = "b", .data_change = false}}));
  EXPECT_FALSE(CheckAppendOnly({1, 2, {}, {}}, append_only, {Remove{.path = "b"}}));
  EXPECT_TRUE(CheckAppendOnly({1, 2, {}, {}}, MetadataWith({}), {Remove{.path = "b"}}));
}

TEST(ColumnMapping, CountsOnlyWhereTheProtocolHasIt) {
  const Metadata mapped = MetadataWith({{"delta.columnMapping.mode", "id"}});
  EXPECT_EQ(ColumnMappingOf({1, 2, {}, {}}, mapped), ColumnMapping::kNone);
  EXPECT_EQ(ColumnMappingOf({2, 5, {}, {}}, mapped), ColumnMapping::kId);
  EXPECT_EQ(ColumnMappingOf({3, 7, std::set<std::string>{"columnMapping"}, {}}, mapped), ColumnMapping::kId);
  EXPECT_EQ(ColumnMappingOf({3, 7, std::set<std::string>{}, {}}, mapped), ColumnMapping::kNone);
}

TEST(ColumnMapping, GivesPhysicalNamesOfNestedFieldsToo) {
  const auto schema = ParseSchemaString(
      R"({"type":"struct","fields":[{"name":"e","type":{"type":"array","elementType":{"type":"struct","fields":[)"
      R"({"name":"d","type":"integer","metadata":{"delta.columnMapping.id":5,"delta.columnMapping.physicalName":"col-d"}}]},"containsNull":true},)"
      R"("metadata":{"delta.columnMapping.id":4,"delta.columnMapping.physicalName":"col-e"}}]})");
  ASSERT_TRUE(schema);
  EXPECT_EQ(ColumnId(schema->fields[0]), 4);
  const auto physical = PhysicalSchema(*schema, ColumnMapping::kName);
  EXPECT_EQ(physical.fields[0].name, "col-e");
  EXPECT_EQ(physical.fields[0].type.children[0].name, "element");
  EXPECT_EQ(physical.fields[0].type.children[0].type.children[0].name, "col-d");
  EXPECT_EQ(PhysicalSchema(*schema, ColumnMapping::kNone), *schema);
}

TEST(Path, AbsoluteOnesHaveASchemeOrALeadingSlash) {
  for (const char* path : {"/a", "file:/a", "file:///a", "s3://b/k", "abfss://x"}) EXPECT_TRUE(IsAbsolutePath(path)) << path;
  for (const char* path : {"a", "c=1/p", "c=a:b/p", "a:b", "c=12:30:00/p", "%2Fa"}) EXPECT_FALSE(IsAbsolutePath(path)) << path;
}

TEST(Path, KeysAreDecodedOnce) {
  EXPECT_EQ(PathKey("file:/a%20b"), "/a b");
  EXPECT_EQ(PathKey("file:///a%2520b"), "/a%20b");
  EXPECT_EQ(PathKey("file://localhost/a"), "/a");
  EXPECT_EQ(PathKey("s3://b/k%23"), "s3://b/k#");
  EXPECT_EQ(PathKey("c=a+b/p"), "c=a+b/p");
  EXPECT_EQ(StoreKey("silver/t", "c=a%20b/p"), "silver/t/c=a b/p");
}

TEST(Path, LogPathsComeBackToTheirKeys) {
  for (const char* key : {"part-1.parquet", "c=a b/d=%20/p#1?.parquet", "c=ü:\\/x"}) EXPECT_EQ(PathKey(LogPath(key)), key);
  EXPECT_EQ(LogPath("c=1/d=a b/p"), "c=1/d=a%20b/p");
}

TEST(Path, LogPathsAreEncodedAsJavaDoes) {
  EXPECT_EQ(LogPath("a_-!.~'()*:@&=+$,;/Z9"), "a_-!.~'()*:@&=+$,;/Z9");
  EXPECT_EQ(LogPath("\"#%<>?[\\]^`{|}\x01\x7f"), "%22%23%25%3C%3E%3F%5B%5C%5D%5E%60%7B%7C%7D%01%7F");
  EXPECT_EQ(LogPath("ü中😀"), "ü中😀");
  EXPECT_EQ(LogPath("\u00a0\u2003\u3000\u2028\u0085"), "%C2%A0%E2%80%83%E3%80%80%E2%80%A8%C2%85");  // blanks and a control
  EXPECT_EQ(LogPath("\xff\xc3"), "%FF%C3");
  for (const char* key : {"ü中😀\u00a0", "\xff\xc3x", "c=!'()*/50%25"}) EXPECT_EQ(PathKey(LogPath(key)), key);
}

contract::Field Plain(const std::string& name, contract::TypeKind kind) { return {name, contract::DataType::Of(kind)}; }

TEST(ColumnMapping, NewColumnsGetIdsAboveAllThatWereEverUsed) {
  using contract::TypeKind;
  contract::Schema schema{
      {Plain("a", TypeKind::kBigint), {"s", contract::DataType::List(contract::DataType::Struct({Plain("x", TypeKind::kDate)}))}}};
  std::map<std::string, std::string> properties = {{"delta.columnMapping.maxColumnId", "6"}};
  contract::Schema again = schema;
  AssignColumnIds(&schema, &properties);
  EXPECT_EQ(ColumnId(schema.fields[0]), 7);
  EXPECT_EQ(ColumnId(schema.fields[1]), 8);
  EXPECT_EQ(ColumnId(schema.fields[1].type.children[0]), std::nullopt);  // an element has none
  EXPECT_EQ(ColumnId(schema.fields[1].type.children[0].type.children[0]), 9);
  EXPECT_EQ(properties.at("delta.columnMapping.maxColumnId"), "9");
  EXPECT_NE(PhysicalName(schema.fields[0], ColumnMapping::kName), "a");
  std::map<std::string, std::string> same = {{"delta.columnMapping.maxColumnId", "6"}};
  AssignColumnIds(&again, &same);
  EXPECT_EQ(again, schema);
  AssignColumnIds(&again, &same);
  EXPECT_EQ(again, schema);
}

}  // namespace
}  // namespace sluice::delta
