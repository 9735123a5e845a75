#include "formats/json_documents.h"

#include <gtest/gtest.h>

#include <random>

#include "formats/bytes.h"

namespace sluice::formats {
namespace {

struct Found {
  std::vector<std::string> texts, rules;
  std::vector<int64_t> lines, offsets;
  std::string error;
};

Found ReadAll(const std::string& text, int64_t block_bytes, int64_t max_record_bytes = 1 << 20) {
  DocumentReader reader(BytesOf(text), block_bytes, max_record_bytes, "f");
  Found found;
  int64_t row = 1;
  while (true) {
    auto block = reader.Next();
    if (!block) found.error = block.error().code;
    if (!block || *block == nullptr) return found;
    EXPECT_EQ((*block)->first_row, row);
    for (size_t i = 0; i < (*block)->lines.size(); ++i, ++row) {
      const LineBlock::Line& line = (*block)->lines[i];
      found.texts.emplace_back((*block)->text(i));
      found.rules.push_back(line.wrong >= 0 ? (*block)->wrong[static_cast<size_t>(line.wrong)].rule : line.cut ? "length" : "");
      found.lines.push_back((*block)->first_line + line.number);
      found.offsets.push_back((*block)->offset_of(line));
    }
  }
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}
  int Draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string Space(bool lines) {
    static const char* kSpaces[] = {"", "", " ", "\t", "  "};
    return (lines && Draw(4) == 0 ? "\n" : "") + std::string(kSpaces[Draw(5)]);
  }
  std::string Text() {
    static const char* kPieces[] = {"a", "{", "}", "[", "]", ",", ":", "\\\"", "\\\\", "\\n", "\xc3\xa9", " "};
    std::string text = "\"";
    for (int i = Draw(6); i > 0; --i) text += kPieces[Draw(12)];
    return text + "\"";
  }
  std::string Value(int depth, bool lines) {
    switch (Draw(depth > 3 ? 4 : 6)) {
      case 0:
        return "-12.5e3";
      case 1:
        return "null";
      case 2:
        return "true";
      case 3:
        return Text();
      case 4:
        return Object(depth + 1, lines);
      default: {
        std::string array = "[" + Space(lines);
        for (int i = Draw(3); i > 0; --i) array += Value(depth + 1, lines) + (i > 1 ? "," : "") + Space(lines);
        return array + "]";
      }
    }
  }
  std::string Object(int depth, bool lines) {
    std::string object = "{" + Space(lines);
    for (int i = Draw(4); i > 0; --i)
      object += Text() + Space(lines) + ":" + Space(lines) + Value(depth + 1, lines) + (i > 1 ? "," : "") + Space(lines);
    return object + "}";
  }

 private:
  std::mt19937 random_;
};

TEST(JsonDocuments, AnyLayoutInBlocksOfAnySizeGivesTheDocuments) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Generator make(seed);
    const bool array = make.Draw(2) == 0;
    std::vector<std::string> documents;
    std::vector<int64_t> lines, offsets;
    std::string text = make.Draw(3) == 0 ? "\xef\xbb\xbf" : "";
    if (array) text += "[";
    for (int i = make.Draw(8); i >= 0; --i) {
      text += make.Space(true);
      documents.push_back(make.Object(0, true));
      lines.push_back(1 + std::count(text.begin(), text.end(), '\n'));
      offsets.push_back(static_cast<int64_t>(text.size()));
      text += documents.back() + make.Space(true) + (array && i > 0 ? "," : "");
    }
    if (array) text += "]\n";
    for (const int64_t block_bytes : {1, 3, 17, 64, 100000}) {
      const Found found = ReadAll(text, block_bytes);
      ASSERT_EQ(found.error, "") << text;
      ASSERT_EQ(found.texts, documents) << seed << " " << block_bytes << "\n" << text;
      ASSERT_EQ(found.lines, lines) << seed << " " << block_bytes << "\n" << text;
      ASSERT_EQ(found.offsets, offsets) << seed << " " << block_bytes << "\n" << text;
      for (const std::string& rule : found.rules) ASSERT_EQ(rule, "");
    }
  }
}

// Whatever one document is broken by, those on other lines are found.
TEST(JsonDocuments, ABrokenDocumentLosesOnlyItself) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Generator make(seed);
    std::vector<std::string> documents;
    for (int i = 0; i < 6; ++i) documents.push_back("{\"id\":" + make.Value(1, false) + "}");
    const int broken = 1 + make.Draw(4);
    std::string text;
    for (int i = 0; i < 6; ++i) {
      std::string document = documents[static_cast<size_t>(i)];
      if (i == broken)
        document = make.Draw(2) == 0 ? document.substr(0, document.size() - 1)
                                     : "{\"id\":\"" + std::string(static_cast<size_t>(make.Draw(5)), 'x');
      text += "  " + document + "\n";
    }
    for (const int64_t block_bytes : {1, 7, 100000}) {
      const Found found = ReadAll(text, block_bytes);
      ASSERT_EQ(found.error, "");
      ASSERT_EQ(found.texts.size(), 6u) << seed << "\n" << text;
      for (int i = 0; i < 6; ++i) {
        if (i == broken) continue;
        ASSERT_EQ(found.texts[static_cast<size_t>(i)], documents[static_cast<size_t>(i)]) << seed << "\n" << text;
        ASSERT_EQ(found.rules[static_cast<size_t>(i)], "");
      }
      ASSERT_EQ(found.rules[static_cast<size_t>(broken)], "json");
    }
  }
}

// A record without end is held in its first part only.
TEST(JsonDocuments, RecordsBeyondTheLimitAreCutAndPassed) {
  const std::string huge(3 << 20, 'x');
  for (const std::string& text : {"{\"a\":\"" + huge + "\"}\n{\"b\":1}\n", "{\"a\":\"" + huge + "\n{\"b\":1}\n",
                                  "[{\"a\":[" + std::string(1 << 20, '[') + std::string(1 << 20, ']') + "]},\n{\"b\":1}]",
                                  "{\"a\":1]" + huge + "\n" + huge + "\n{\"b\":1}"}) {
    const Found found = ReadAll(text, 1000, 200000);
    ASSERT_EQ(found.texts.size(), 2u);
    EXPECT_EQ(found.rules[0], "length");
    EXPECT_EQ(found.texts[0].size(), 64u << 10);
    EXPECT_EQ(found.texts[1], "{\"b\":1}");
    EXPECT_EQ(found.rules[1], "");
    EXPECT_EQ(found.offsets[1], static_cast<int64_t>(text.find("{\"b\":1}")));
    EXPECT_EQ(found.lines[1], 1 + std::count(text.begin(), text.begin() + found.offsets[1], '\n'));
  }
}

TEST(JsonDocuments, NothingButWhiteSpaceIsNotHeld) {
  EXPECT_TRUE(ReadAll(std::string(5 << 20, ' ') + "\n", 1000).texts.empty());
  EXPECT_EQ(ReadAll(std::string(1 << 20, '\n') + "{}", 1000).lines, (std::vector<int64_t>{(1 << 20) + 1}));
}

TEST(JsonDocuments, AFileThatEndsWithinItsArrayIsTold) {
  for (const char* text : {"[", "[{}", "[{},", "[{\"a\":", "[{\"a\":\"x"}) EXPECT_EQ(ReadAll(text, 100).error, "truncated-file") << text;
  for (const char* text : {"", "[]", "[{}]", "{\"a\":", "{} []"}) EXPECT_EQ(ReadAll(text, 100).error, "") << text;
}

}  // namespace
}  // namespace sluice::formats
