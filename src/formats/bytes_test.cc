#include "formats/bytes.h"

#include <gtest/gtest.h>

#include "core/clock.h"
#include "formats/content_hash.h"
#include "formats/test_packed.h"

namespace sluice::formats {
namespace {

// A text that does not compress to nothing.
std::string Text(size_t bytes) {
  SeededRandom random(7);
  std::string text;
  while (text.size() < bytes) text += std::to_string(random.Next() % 100000) + "\n";
  text.resize(bytes);
  return text;
}

struct Outcome {
  std::string bytes;
  std::string code;  // of the error that ended the reading
};

Outcome Drain(ByteSource& source, size_t piece = 1000) {
  Outcome outcome;
  std::string buffer(piece, '\0');
  while (true) {
    const Result<size_t> n = source.Read(buffer.data(), buffer.size());
    if (!n) {
      outcome.code = n.error().code;
      return outcome;
    }
    if (*n == 0) return outcome;
    outcome.bytes.append(buffer, 0, *n);
  }
}

Outcome DrainArchive(std::string bytes, Compression compression, size_t piece = 1000) {
  return Drain(*Decompress(BytesOf(std::move(bytes)), compression, "f"), piece);
}

TEST(Bytes, DetectsCompressionByContentBeforeName) {
  EXPECT_EQ(DetectCompression("a.csv", Gzip("x")), Compression::kGzip);
  EXPECT_EQ(DetectCompression("a.csv", Zstd("x")), Compression::kZstd);
  EXPECT_EQ(DetectCompression("a.csv", std::string("\x53\x2a\x4d\x18", 4)), Compression::kZstd);
  EXPECT_EQ(DetectCompression("a.csv", "id,name"), Compression::kNone);
  EXPECT_EQ(DetectCompression("a.csv.GZ", "id,name"), Compression::kGzip);
  EXPECT_EQ(DetectCompression("a.zst", ""), Compression::kZstd);
}

TEST(Bytes, ReadsSeveralGzipMembersAsOneStream) {
  const std::string text = Text(300000);
  const Outcome got = DrainArchive(Gzip(text) + Gzip("") + Gzip(text), Compression::kGzip, 777);
  EXPECT_EQ(got.code, "");
  EXPECT_EQ(got.bytes, text + text);
}

TEST(Bytes, ReadsSeveralZstdFramesAndSkipsSkippableOnes) {
  const std::string text = Text(300000);
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  const Outcome got = DrainArchive(Zstd(text) + skippable + Zstd(text), Compression::kZstd, 777);
  EXPECT_EQ(got.code, "");
  EXPECT_EQ(got.bytes, text + text);
}

TEST(Bytes, EmptyContentsAreNoError) {
  EXPECT_EQ(DrainArchive(Gzip(""), Compression::kGzip).code, "");
  EXPECT_EQ(DrainArchive(Zstd(""), Compression::kZstd).code, "");
  EXPECT_EQ(DrainArchive("", Compression::kNone).code, "");
}

TEST(Bytes, AnEmptyArchiveIsTruncated) {
  EXPECT_EQ(DrainArchive("", Compression::kGzip).code, "truncated-archive");
  EXPECT_EQ(DrainArchive("", Compression::kZstd).code, "truncated-archive");
}

TEST(Bytes, GivesTheBytesBeforeTheCutAndThenItsError) {
  const std::string text = Text(500000);
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    const std::string whole = compression == Compression::kGzip ? Gzip(text) : Zstd(text);
    const Outcome got = DrainArchive(whole.substr(0, whole.size() - 20000), compression);
    EXPECT_EQ(got.code, "truncated-archive");
    EXPECT_GT(got.bytes.size(), 200000u);
    EXPECT_EQ(got.bytes, text.substr(0, got.bytes.size()));
  }
}

TEST(Bytes, EveryCutOfAnArchiveIsSeen) {
  const std::string text = Text(200);
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    const std::string whole = compression == Compression::kGzip ? Gzip(text) : Zstd(text);
    for (size_t cut = 0; cut < whole.size(); ++cut)
      EXPECT_EQ(DrainArchive(whole.substr(0, cut), compression).code, "truncated-archive") << ToString(compression) << " " << cut;
  }
}

TEST(Bytes, AFlippedByteIsCorruptAndStaysSo) {
  const std::string text = Text(100000);
  std::string gzip = Gzip(text);
  gzip[gzip.size() - 6] ^= 1;  // the checksum
  const auto source = Decompress(BytesOf(gzip), Compression::kGzip, "f");
  EXPECT_EQ(Drain(*source).code, "corrupt-archive");
  EXPECT_EQ(Drain(*source).code, "corrupt-archive");
  EXPECT_EQ(DrainArchive("id,name\n1,a\n", Compression::kGzip).code, "corrupt-archive");
  EXPECT_EQ(DrainArchive("id,name\n1,a\n", Compression::kZstd).code, "corrupt-archive");
}

TEST(Bytes, PaddingAfterTheLastMemberIsReadOverGarbageIsNot) {
  const std::string padding(1000, '\0');
  EXPECT_EQ(DrainArchive(Gzip("abc") + padding, Compression::kGzip).code, "");
  EXPECT_EQ(DrainArchive(Gzip("abc") + padding, Compression::kGzip).bytes, "abc");
  EXPECT_EQ(DrainArchive(Gzip("abc") + "garbage", Compression::kGzip).code, "corrupt-archive");
  EXPECT_EQ(DrainArchive(Gzip("abc") + padding + Gzip("def"), Compression::kGzip).code, "corrupt-archive");
}

class ObjectBytesTest : public ::testing::Test {
 protected:
  FixedClock clock_{Instant{1}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

TEST_F(ObjectBytesTest, ReadsAnObjectLargerThanOneRange) {
  const std::string text = Text(9 << 20);
  ASSERT_TRUE(store_->Put("a.csv", text));
  auto source = OpenBytes({.store = store_.get(), .key = "a.csv"});
  ASSERT_TRUE(source);
  const Outcome got = Drain(**source, 1 << 20);
  EXPECT_EQ(got.code, "");
  EXPECT_TRUE(got.bytes == text);
}

TEST_F(ObjectBytesTest, NoticesAnObjectThatIsReplacedWhileItIsRead) {
  ASSERT_TRUE(store_->Put("a.csv", Text(1 << 20)));
  auto source = OpenBytes({.store = store_.get(), .key = "a.csv"});
  ASSERT_TRUE(source);
  char first[10];
  ASSERT_TRUE((*source)->Read(first, sizeof(first)));
  ASSERT_TRUE(store_->Put("a.csv", Text(2 << 20)));
  EXPECT_EQ(Drain(**source).code, "file-changed-while-read");
}

TEST_F(ObjectBytesTest, ReadsNoOtherObjectThanTheOneThatWasListed) {
  ASSERT_TRUE(store_->Put("a.csv", "id\n1\n"));
  const store::ObjectMeta listed = *store_->Head("a.csv");
  ASSERT_TRUE(store_->Put("a.csv", "id\n1\n2\n"));
  ReadRequest request{.store = store_.get(), .key = "a.csv"};
  request.object = &listed;
  EXPECT_EQ(Drain(**OpenBytes(request)).code, "file-changed-while-read");
}

TEST_F(ObjectBytesTest, HashesWhatIsStoredWhileItIsRead) {
  const std::string text = Text(9 << 20);
  ASSERT_TRUE(store_->Put("a.csv", text));
  ASSERT_TRUE(store_->Put("b.csv", text));
  ASSERT_TRUE(store_->Put("a.csv.gz", Gzip(text)));
  ASSERT_TRUE(store_->Put("empty", ""));
  const auto hash_of = [&](const char* key, Compression compression) {
    std::string hash;
    ReadRequest request{.store = store_.get(), .key = key, .compression = compression};
    request.content_hash = &hash;
    EXPECT_EQ(Drain(**OpenBytes(request), 1000).code, "");
    EXPECT_EQ(hash, *HashObject(*store_, key));
    return hash;
  };
  const std::string hash = hash_of("a.csv", Compression::kNone);
  EXPECT_EQ(hash, hash_of("b.csv", Compression::kNone));
  EXPECT_NE(hash, hash_of("a.csv.gz", Compression::kGzip));
  EXPECT_EQ(hash_of("empty", Compression::kNone), "xxh3:99aa06d3014798d86001c324468d497f");
}

TEST_F(ObjectBytesTest, ReportsAMissingObject) {
  EXPECT_EQ(OpenBytes({.store = store_.get(), .key = "none.csv"}).error().kind, ErrorKind::kNotFound);
}

TEST_F(ObjectBytesTest, SamplesTheDecompressedBeginning) {
  const std::string text = Text(100000);
  ASSERT_TRUE(store_->Put("a.csv.gz", Gzip(text)));
  const auto front = ReadFront(*store_, *store_->Head("a.csv.gz"), std::nullopt, 5000);
  EXPECT_EQ(front->compression, Compression::kGzip);
  EXPECT_EQ(front->sample.bytes.size(), 5000u);
  const ReadRequest request{.store = store_.get(), .key = "a.csv.gz", .compression = Compression::kGzip};
  auto some = ReadSample(request, 5000);
  ASSERT_TRUE(some);
  EXPECT_EQ(some->bytes, text.substr(0, 5000));
  EXPECT_FALSE(some->whole);
  auto all = ReadSample(request, 200000);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->bytes, text);
  EXPECT_TRUE(all->whole);
}

}  // namespace
}  // namespace sluice::formats
