#include "config/yaml.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

Node Parse(const std::string& text) {
  auto node = ParseYaml(text, "f.yml");
  EXPECT_TRUE(node) << node.error().ToString();
  return node ? *node : Node{};
}

std::string ErrorOf(const std::string& text) {
  const auto node = ParseYaml(text, "f.yml");
  if (node) return "ok";
  std::string out = node.error().where.ToString() + " " + node.error().code;
  for (const Error& error : node.error().more) out += "|" + error.where.ToString() + " " + error.code;
  return out;
}

TEST(ParseYaml, GivesEveryKeyAndValueItsPlace) {
  const Node node = Parse("a: 1\nlist:\n  - x\n  - { b: \"quoted\", c: 'single' }\n");
  EXPECT_EQ(node.Find("a")->where().ToString(), "f.yml:1:4");
  EXPECT_EQ(node.FindEntry("list")->where().ToString(), "f.yml:2:1");
  const Node& list = *node.Find("list");
  EXPECT_EQ(list.items[0].where().ToString(), "f.yml:3:5");
  EXPECT_EQ(list.items[1].FindEntry("b")->where().ToString(), "f.yml:4:7");
  EXPECT_EQ(list.items[1].Find("b")->where().ToString(), "f.yml:4:10");
  EXPECT_EQ(list.items[1].Find("b")->text_mark.location().ToString(), "f.yml:4:11");
}

TEST(ParseYaml, PlacesTheTextOfBlockScalars) {
  const Node node = Parse("sql: |\n\n    select 1\n    from x\nb: é è\nc: d\n");
  EXPECT_EQ(node.Find("sql")->text, "\nselect 1\nfrom x\n");
  EXPECT_EQ(node.Find("sql")->where().ToString(), "f.yml:1:6");
  EXPECT_EQ(node.Find("sql")->text_mark.location().ToString(), "f.yml:3:5");
  EXPECT_EQ(node.Find("c")->where().ToString(), "f.yml:6:4");
}

TEST(ParseYaml, ReadsScalarsByTheCoreSchema) {
  const Node node = Parse("i: -12\nn: 1.50\ne: 1e3\nb: true\nyes: yes\nd: 2024-01-01\nq: \"12\"\ns: !!str 7\nz: ~\nhex: 0x1F\n");
  const auto kind = [&](const char* key) { return node.Find(key)->kind; };
  EXPECT_EQ(kind("i"), Kind::kInteger);
  EXPECT_EQ(kind("n"), Kind::kNumber);
  EXPECT_EQ(node.Find("n")->text, "1.50");
  EXPECT_EQ(kind("e"), Kind::kNumber);
  EXPECT_EQ(kind("b"), Kind::kBoolean);
  EXPECT_EQ(kind("yes"), Kind::kText);
  EXPECT_EQ(kind("d"), Kind::kText);
  EXPECT_EQ(kind("q"), Kind::kText);
  EXPECT_EQ(kind("s"), Kind::kText);
  EXPECT_EQ(kind("z"), Kind::kNull);
  EXPECT_EQ(kind("hex"), Kind::kText);
}

TEST(ParseYaml, FollowsAnchorsAndMerges) {
  const Node node = Parse("base: &b { x: 1, y: 2 }\nmore:\n  <<: *b\n  y: 3\ncopy: *b\n");
  EXPECT_EQ(node.Find("more")->Find("x")->text, "1");
  EXPECT_EQ(node.Find("more")->Find("y")->text, "3");
  EXPECT_EQ(node.Find("copy")->Find("y")->text, "2");
}

TEST(ParseYaml, AnEmptyDocumentIsAnEmptyMap) {
  for (const char* text : {"", "# only a comment\n", "---\n"}) {
    EXPECT_TRUE(Parse(text).is_map()) << text;
    EXPECT_EQ(Parse(text).where().ToString(), "f.yml:1:1");
  }
}

TEST(ParseYaml, ReportsWhatIsWrongWithItsPlace) {
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\nb: 4\n"), "f.yml:3:1 duplicate-key|f.yml:4:1 duplicate-key");
  EXPECT_EQ(ErrorOf("a: [1, 2\nb: 3\n"), "f.yml:2:2 yaml-syntax");
  EXPECT_EQ(ErrorOf("a: 1\n---\nb: 2\n"), "f.yml:3:1 several-documents");
  EXPECT_EQ(ErrorOf("a: !point [1]\n"), "f.yml:1:4 yaml-tag");
  EXPECT_EQ(ErrorOf("[a, b]: 1\n"), "f.yml:1:1 yaml-key");
  EXPECT_EQ(ErrorOf("a: *nothing\n"), "f.yml:1:4 yaml-syntax");
  EXPECT_EQ(ErrorOf("a: \xff\n"), "f.yml:1:1 yaml-encoding");
}

TEST(ParseYaml, RefusesAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 1; k < 10; ++k) text += ", " + last;
    text += "]\n";
  }
  EXPECT_EQ(ErrorOf(text), "f.yml:1:1 yaml-too-large");
}

TEST(Overlay, MergesMapsAndReplacesLists) {
  const Node merged = Overlay(Parse("a: { x: 1, y: [1, 2] }\nb: 1\n"), Parse("a: { y: [3], z: 4 }\nc: 2\n"));
  EXPECT_EQ(merged.Find("a")->Find("x")->text, "1");
  ASSERT_EQ(merged.Find("a")->Find("y")->items.size(), 1u);
  EXPECT_EQ(merged.Find("a")->Find("z")->text, "4");
  EXPECT_EQ(merged.Find("b")->text, "1");
  EXPECT_EQ(merged.Find("c")->text, "2");
}

}  // namespace
}  // namespace sluice::config
