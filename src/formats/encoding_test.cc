#include "formats/encoding.h"

#include <gtest/gtest.h>

#include <random>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/csv.h"
#include "formats/ndjson.h"
#include "formats/reader_fixture.h"

namespace sluice::formats {
namespace {

// Gives its bytes in pieces of random sizes.
class Crumbs : public ByteSource {
 public:
  Crumbs(std::string bytes, unsigned seed) : bytes_(std::move(bytes)), random_(seed) {}
  Result<size_t> Read(char* buffer, size_t capacity) override {
    const size_t n = std::min({capacity, bytes_.size() - at_, size_t{1} + random_() % 7});
    bytes_.copy(buffer, n, at_);
    at_ += n;
    return n;
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
  std::mt19937 random_;
};

std::string Drained(ByteSource& source, size_t capacity) {
  std::string out, piece(capacity, '\0');
  for (;;) {
    const auto n = source.Read(piece.data(), piece.size());
    EXPECT_TRUE(n);
    if (!n || *n == 0) return out;
    out.append(piece, 0, *n);
  }
}

std::string TextOf(std::string_view bytes, const std::string& encoding) { return *TranscodeText(bytes, encoding, true); }

TEST(Encoding, KnowsEachByManyNames) {
  EXPECT_EQ(CanonicalEncoding("UTF-8"), "utf-8");
  EXPECT_EQ(CanonicalEncoding("utf8"), "utf-8");
  EXPECT_EQ(CanonicalEncoding("Latin-1"), "iso-8859-1");
  EXPECT_EQ(CanonicalEncoding("ISO_8859-1"), "iso-8859-1");
  EXPECT_EQ(CanonicalEncoding("cp1252"), "windows-1252");
  EXPECT_EQ(CanonicalEncoding("Windows-1252"), "windows-1252");
  EXPECT_EQ(CanonicalEncoding("UTF-16LE"), "utf-16le");
  EXPECT_EQ(CanonicalEncoding("Shift_JIS"), "shift_jis");
  EXPECT_EQ(CanonicalEncoding("latin"), std::nullopt);
  EXPECT_EQ(CanonicalEncoding(""), std::nullopt);
  EXPECT_NE(ParseEncoding("windows-1522").error().message.find("did you mean \"windows-1252\""), std::string::npos);
  for (const std::string& name : EncodingNames()) {
    EXPECT_EQ(CanonicalEncoding(name), name);
    EXPECT_TRUE(TranscodeText("a", name, true)) << name;
  }
}

TEST(Encoding, ReadsCharactersOfEach) {
  EXPECT_EQ(TextOf("5 \x80 \x9c", "windows-1252"), "5 € œ");
  EXPECT_EQ(TextOf("\xa4", "iso-8859-1"), "¤");
  EXPECT_EQ(TextOf("\xa4", "iso-8859-15"), "€");
  EXPECT_EQ(TextOf(std::string_view("\xac\x20\x3d\xd8\x00\xde", 6), "utf-16le"), "€😀");
  EXPECT_EQ(TextOf(std::string_view("\x20\xac\xd8\x3d\xde\x00", 6), "utf-16be"), "€😀");
  EXPECT_EQ(TextOf("\x93\xfa\x96\x7b", "shift_jis"), "日本");
  EXPECT_EQ(TextOf("\xff\xfe"
                   "a\0",
                   "utf-16le")
                .substr(0, 3),
            "\xef\xbb\xbf");
}

TEST(Encoding, WhatIsUndefinedIsNoUtf8AndNothingElseIsLost) {
  for (const auto& [bytes, encoding] : std::vector<std::pair<std::string, std::string>>{
           {"a\x81\nb\n", "windows-1252"},
           {std::string("a\0\x3d\xd8\n\0b\0\n\0", 10), "utf-16le"},  // a high surrogate alone
           {std::string("a\0\x00\xde\n\0b\0\n\0", 10), "utf-16le"},  // a low one
           {"a\x81\nb\n", "shift_jis"},                              // a lead byte before a line's end
           {"a\xd2\xae\nb\n", "iso-8859-7"},                         // beside each other they would make a character of UTF-8
       }) {
    const std::string text = TextOf(bytes, encoding);
    const auto lines = Split(text, '\n');
    ASSERT_EQ(lines.size(), 3u) << encoding;
    EXPECT_EQ(lines[1], "b") << encoding;
    EXPECT_FALSE(IsValidUtf8(lines[0])) << encoding;
  }
  EXPECT_FALSE(IsValidUtf8(TextOf(std::string_view("a\0\n", 3), "utf-16le")));  // half a character at the end
}

TEST(Encoding, PiecesGiveWhatTheWholeGivesAndSizesAreTheFiles) {
  std::mt19937 random(7);
  for (const std::string encoding : {"windows-1252", "iso-8859-1", "iso-8859-7", "utf-16le", "utf-16be", "utf-32le", "koi8-r"}) {
    for (int round = 0; round < 200; ++round) {
      std::string bytes;
      const size_t units = random() % 60;
      const size_t width = encoding.starts_with("utf-16") ? 2 : encoding.starts_with("utf-32") ? 4 : 1;
      for (size_t i = 0; i < units * width; ++i)
        bytes += static_cast<char>(random() % 3 == 0 ? random() % 256 : random() % 2 == 0 ? 0xd8 + random() % 8 : 'a' + random() % 5);
      const std::string whole = TextOf(bytes, encoding);
      auto pieces = Transcode(std::make_unique<Crumbs>(bytes, random()), encoding);
      ASSERT_TRUE(pieces);
      EXPECT_EQ(Drained(**pieces, 1 + random() % 9), whole) << encoding;
      EXPECT_EQ(SourceSize(encoding).Of(whole), static_cast<int64_t>(bytes.size())) << encoding;
    }
  }
}

TEST(Encoding, ASampleLeavesOutACharacterThatIsCut) {
  EXPECT_EQ(*TranscodeText(std::string_view("a\0b", 3), "utf-16le", false), "a");
  EXPECT_EQ(*TranscodeText("a\x93", "shift_jis", false), "a");
}

class EncodedFileTest : public ReaderTest {};

TEST_F(EncodedFileTest, PlacesAreThoseOfTheFileWhateverTheBlocks) {
  Column("a", "bigint"), Column("b", "string");
  const std::string text =
      "\xef\xbb\xbf"
      "a,b\n1,é\nx,😀\n2,\"€\n€\"\ny,z\n";
  std::string utf16;
  const std::u16string wide = u"\ufeffa,b\n1,é\nx,😀\n2,\"€\n€\"\ny,z\n";
  for (const char16_t unit : wide) utf16 += {static_cast<char>(unit & 0xff), static_cast<char>(unit >> 8)};
  ASSERT_EQ(TextOf(utf16, "utf-16le"), text);
  ASSERT_TRUE(store_->Put("f", utf16));
  for (const int64_t block : {4, 16, 1 << 20}) {
    block_bytes_ = block;
    ReadRequest request = Request();
    request.encoding = "utf-16le";
    const Rows got = ReadAll(OpenCsv(request, {}));
    ASSERT_EQ(got.rows.size(), 4u) << block << got.error;
    EXPECT_EQ(got.places[0].offset, 10);
    EXPECT_EQ(got.places[1].offset, 18);
    EXPECT_EQ(got.places[2].offset, 28);
    EXPECT_EQ(got.places[3].offset, 44);
    EXPECT_EQ(got.places[3].line, 6);
    ASSERT_EQ(got.violations.size(), 2u);
  }
}

TEST_F(EncodedFileTest, NdjsonHasThemToo) {
  Column("a", "bigint"), Column("b", "string");
  ASSERT_TRUE(store_->Put("f", "{\"a\":1,\"b\":\"\xfc\"}\n{\"b\":\"\x81\"}\n{\"a\":3}\n"));
  for (const int64_t block : {1, 16, 1 << 20}) {
    block_bytes_ = block;
    ReadRequest request = Request();
    request.encoding = "windows-1252";
    const Rows got = ReadAll(OpenNdjson(request));
    ASSERT_EQ(got.rows, (std::vector<std::string>{"1 | ü", "null | null", "3 | null"})) << block;
    EXPECT_EQ(got.places[1].offset, 16);
    EXPECT_EQ(got.places[2].offset, 26);
    ASSERT_EQ(got.violations.size(), 1u);
    EXPECT_EQ(got.violations[0].rule, "encoding");
  }
}

}  // namespace
}  // namespace sluice::formats
