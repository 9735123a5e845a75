#include "delta/file_list.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "delta/sort_files.h"

namespace sluice::delta {
namespace {

std::vector<Add> Files(int count, int step = 1) {
  std::vector<Add> files;
  for (int i = 0; i < count; ++i) files.push_back({.path = "p" + std::to_string(100'000 + i * step), .size = i});
  return files;
}

TEST(FileList, IsItsFilesInOrder) {
  for (const int count : {0, 1, 127, 128, 200, 1000}) {
    const std::vector<Add> files = Files(count);
    const FileList<Add> list(files);
    EXPECT_EQ(list.size(), files.size());
    EXPECT_EQ(list.ToVector(), files);
    if (count > 0) {
      EXPECT_EQ(list[count - 1], files.back());
    }
  }
}

// Against a map, with edits at both ends, between, of one part and of all.
TEST(FileList, EditsAgreeWithAMap) {
  std::mt19937 random(7);
  std::map<std::string, Add> model;
  FileList<Add> list;
  for (int round = 0; round < 200; ++round) {
    std::vector<FileList<Add>::Edit> edits;
    const int many = round % 20 == 0 ? 500 : 5;
    std::map<std::string, std::optional<Add>> chosen;
    for (int i = 0; i < many; ++i) {
      Add add{.path = "p" + std::to_string(random() % 3000), .size = round};
      if (random() % 3 == 0) add.deletion_vector = DeletionVector{"i", "x", std::nullopt, 1, static_cast<int64_t>(random() % 2)};
      const std::string key = LogicalKey(add.path, add.deletion_vector);
      chosen[key] = random() % 2 == 0 ? std::optional(add) : std::nullopt;
    }
    for (auto& [key, file] : chosen) {
      if (file)
        model[key] = *file;
      else
        model.erase(key);
      edits.push_back({key, file});
    }
    const FileList<Add> before = list;
    const std::vector<Add> was = before.ToVector();
    list.Apply(std::move(edits));
    std::vector<Add> expected;
    for (const auto& [key, file] : model) expected.push_back(file);
    ASSERT_EQ(list.ToVector(), expected) << round;
    ASSERT_EQ(list.size(), expected.size());
    ASSERT_EQ(before.ToVector(), was) << "a copy changed with the list";
  }
}

TEST(FileList, AnEditSharesWhatItDoesNotTouch) {
  const FileList<Add> base(Files(10'000));
  FileList<Add> edited = base;
  edited.Apply({{"p105000x", Add{.path = "p105000x"}}});
  EXPECT_EQ(edited.size(), base.size() + 1);
  size_t shared = 0;
  auto ours = edited.begin();
  for (const Add& add : base) {
    while (ours->path < add.path) ++ours;
    shared += &*ours == &add ? 1 : 0;
  }
  EXPECT_GE(shared, 9'800U);
}

TEST(SortFiles, SortsAsTheKeysDo) {
  std::mt19937 random(3);
  std::vector<Add> files;
  for (int i = 0; i < 3000; ++i) {
    std::string path = i % 3 == 0 ? "day=2024-01-01/part-" : i % 3 == 1 ? "day=2024-01-01%20x/p" : "";
    path += std::to_string(random() % 1'000'000'000);
    if (i % 50 == 0) path = path.substr(0, 20);
    Add add{.path = path, .size = i};
    if (i % 7 == 0) add.deletion_vector = DeletionVector{"u", std::to_string(random()), 1, 2, 3};
    files.push_back(std::move(add));
  }
  const auto key = [](const Add& add) { return LogicalKey(add.path, add.deletion_vector); };
  std::vector<std::string> expected, sorted;
  for (const Add& add : files) expected.push_back(key(add));
  std::sort(expected.begin(), expected.end());
  SortByLogicalKey(&files);
  for (const Add& add : files) sorted.push_back(key(add));
  EXPECT_EQ(sorted, expected);
}

}  // namespace
}  // namespace sluice::delta
