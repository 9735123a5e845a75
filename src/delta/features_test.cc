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
  EXPECT_NE(Refusal({1, 2, {}, {}}, MetadataWith({}, R"({"delta.invariants":"{}"})")).find("invariants"), std::string::npos);
  EXPECT_NE(Refusal({1, 3, {}, {}}, MetadataWith({{"delta.constraints.x", "a > 1"}})).find("checkConstraints"), std::string::npos);
  EXPECT_NE(Refusal({1, 4, {}, {}}, MetadataWith({{"delta.enableChangeDataFeed", "true"}})).find("changeDataFeed"), std::string::npos);
  EXPECT_NE(Refusal({2, 5, {}, {}}, MetadataWith({{"delta.columnMapping.mode", "name"}})).find("columnMapping"), std::string::npos);
  EXPECT_NE(Refusal({1, 6, {}, {}}, MetadataWith({}, R"({"delta.identity.start":1})")).find("identityColumns"), std::string::npos);
  EXPECT_EQ(Refusal({1, 2, {}, {}}, MetadataWith({{"delta.constraints.x", "a > 1"}})), "");  // not implied by version 2
  EXPECT_EQ(Refusal(WithWriterFeatures(
                {"checkConstraints", "invariants", "identityColumns", "changeDataFeed", "domainMetadata", "inCommitTimestamp"})),
            "");
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

}  // namespace
}  // namespace sluice::delta
