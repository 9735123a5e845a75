#include "tables/parquet_folder.h"

#include <gtest/gtest.h>

#include "contract/type.h"

namespace sluice::tables {
namespace {

using contract::TypeKind;

std::vector<store::ObjectMeta> Listed(std::initializer_list<const char*> keys) {
  std::vector<store::ObjectMeta> listed;
  for (const char* key : keys) listed.push_back({key, 1, "e", Instant{}});
  return listed;
}

std::vector<std::string> Chosen(std::initializer_list<const char*> keys, const char* glob) {
  std::vector<std::string> chosen;
  const auto files = FilesOfFolder(Listed(keys), "bronze/x", glob);
  EXPECT_TRUE(files) << files.error().ToString();
  if (files)
    for (const auto& file : *files) chosen.push_back(file.key);
  return chosen;
}

TEST(ParquetFolder, TakesParquetFilesAtEveryDepthAndNothingHidden) {
  EXPECT_EQ(Chosen({"bronze/x/a.parquet", "bronze/x/_SUCCESS", "bronze/x/.b.parquet", "bronze/x/_temporary/c.parquet", "bronze/x/notes.txt",
                    "bronze/x/_day=1/d.PARQUET"},
                   "**"),
            (std::vector<std::string>{"bronze/x/a.parquet", "bronze/x/_day=1/d.PARQUET"}));
}

TEST(ParquetFolder, GlobIsBelowTheRoot) {
  EXPECT_EQ(Chosen({"bronze/x/a.parquet", "bronze/x/y/a.parquet", "bronze/x/y/b"}, "y/*"),
            (std::vector<std::string>{"bronze/x/y/a.parquet", "bronze/x/y/b"}));
}

TEST(ParquetFolder, RefusesFilesOfADeltaTable) {
  const auto files = FilesOfFolder(Listed({"bronze/x/t/_delta_log/00000000000000000000.json", "bronze/x/t/a.parquet"}), "bronze/x", "**");
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, "delta-as-parquet");
  EXPECT_EQ(Chosen({"bronze/x/t/_delta_log/00000000000000000000.json", "bronze/x/u/a.parquet"}, "u/*").size(), 1U);
}

TEST(ParquetFolder, HivePartitionsAreDecodedAndNullHasAName) {
  const auto found = HivePartitions("year=2024/city=S%C3%BCd%2FWest/x/k=__HIVE_DEFAULT_PARTITION__/a=b.parquet");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], (std::pair<std::string, std::optional<std::string>>{"year", "2024"}));
  EXPECT_EQ(found[1].second, "Süd/West");
  EXPECT_EQ(found[2].second, std::nullopt);
}

TEST(ParquetFolder, TypeOfAPartitionFitsEveryValue) {
  EXPECT_EQ(TypeOfPartition({"1", "-20", std::nullopt, "007"}).kind, TypeKind::kBigint);
  EXPECT_EQ(TypeOfPartition({"1", "x"}).kind, TypeKind::kString);
  EXPECT_EQ(TypeOfPartition({"1234567890123456789"}).kind, TypeKind::kString);
  EXPECT_EQ(TypeOfPartition({"2024-01-31", "2024-02-29"}).kind, TypeKind::kDate);
  EXPECT_EQ(TypeOfPartition({"2024-02-30"}).kind, TypeKind::kString);
  EXPECT_EQ(TypeOfPartition({std::nullopt}).kind, TypeKind::kString);
}

}  // namespace
}  // namespace sluice::tables
