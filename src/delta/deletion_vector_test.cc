#include "delta/deletion_vector.h"

#include <gtest/gtest.h>

namespace sluice::delta {
namespace {

class DeletionVectorTest : public testing::Test {
 protected:
  Error ErrorOf(const DeletionVector& dv) {
    auto rows = ReadDeletionVector(*store_, "t", dv);
    EXPECT_FALSE(rows);
    return rows ? Error{} : rows.error();
  }
  FixedClock clock_{Instant{}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

// The rows of the protocol's own example ("JSON Example 3"), whose bitmap there is in an older format, in the one that it describes.
const DeletionVector kInline{"i", "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", std::nullopt, 44, 6};

TEST_F(DeletionVectorTest, InlineRows) {
  const auto rows = ReadDeletionVector(*store_, "t", kInline);
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(*rows, (std::vector<int64_t>{3, 4, 7, 11, 18, 29}));
}

// The same bitmap in a file: version byte, then size and checksum in big-endian. The name is the protocol's example 1.
class StoredDeletionVectorTest : public DeletionVectorTest {
 protected:
  void SetUp() override {
    std::string file = "\x01";
    file += std::string("\0\0\0\x2C", 4) + bitmap_ + "\xAC\xD7\x4A\x79";
    Store(file);
  }
  void Store(const std::string& bytes) { ASSERT_TRUE(store_->Put("t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", bytes)); }
  const std::string bitmap_ = DecodeZ85(kInline.path_or_inline)->substr(0, 44);
  const DeletionVector stored_{"u", "ab^-aqEH.-t@S}K{vb[*k^", 1, 44, 6};
};

TEST_F(StoredDeletionVectorTest, IsReadFromItsFile) {
  const auto rows = ReadDeletionVector(*store_, "t", stored_);
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(*rows, (std::vector<int64_t>{3, 4, 7, 11, 18, 29}));
}

TEST_F(StoredDeletionVectorTest, AbsolutePathWithinTheStoreIsRead) {
  DeletionVector absolute = stored_;
  absolute.storage_type = "p";
  absolute.path_or_inline = store_->Uri("t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
  EXPECT_TRUE(ReadDeletionVector(*store_, "t", absolute));
  absolute.path_or_inline = "s3://elsewhere/x.bin";
  EXPECT_EQ(ErrorOf(absolute).code, "unsupported-feature");
}

TEST_F(StoredDeletionVectorTest, WhatDoesNotFitIsRefused) {
  DeletionVector other = stored_;
  other.cardinality = 5;
  EXPECT_NE(ErrorOf(other).message.find("removes 6 rows and not 5"), std::string::npos);
  other = stored_;
  other.size_in_bytes = 43;
  EXPECT_EQ(ErrorOf(other).code, "bad-delta-log");
  other = stored_;
  other.offset = std::nullopt;
  EXPECT_EQ(ErrorOf(other).code, "bad-delta-log");
  Store(std::string("\x01\0\0\0\x2C", 5) + bitmap_ + "\x79\x4A\xD7\xAC");
  EXPECT_NE(ErrorOf(stored_).message.find("checksum"), std::string::npos);
  Store("\x01");
  EXPECT_NE(ErrorOf(stored_).message.find("too short"), std::string::npos);
  EXPECT_NE(ErrorOf({"u", "ab^-aqEH.-t@S}K{vb[*k#", 1, 44, 6}).message.find("is gone"), std::string::npos);
}

TEST_F(DeletionVectorTest, NoCutOrForgedBitmapIsBelieved) {
  const std::string bitmap = DecodeZ85(kInline.path_or_inline)->substr(0, 44);
  ASSERT_TRUE(DecodeDeletionVector(bitmap));
  for (size_t length = 0; length < bitmap.size(); ++length) EXPECT_FALSE(DecodeDeletionVector(bitmap.substr(0, length))) << length;
  std::string forged = bitmap;
  forged[0] ^= 1;
  EXPECT_FALSE(DecodeDeletionVector(forged));
  forged = bitmap;
  forged[15] = '\x80';  // the high half of the row numbers is negative
  EXPECT_FALSE(DecodeDeletionVector(forged));
}

TEST_F(DeletionVectorTest, RowsAboveFourBillion) {
  std::string bitmap = DecodeZ85(kInline.path_or_inline)->substr(0, 44);
  bitmap[12] = 1;
  EXPECT_EQ(DecodeDeletionVector(bitmap)->front(), (1LL << 32) + 3);
}

TEST_F(DeletionVectorTest, Z85) {
  EXPECT_EQ(*DecodeZ85("HelloWorld"), "\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B");  // the RFC's test case
  EXPECT_FALSE(DecodeZ85("Hell"));
  EXPECT_FALSE(DecodeZ85("Hell~"));
  EXPECT_FALSE(DecodeZ85("#####"));
}

class WrittenDeletionVectorTest : public DeletionVectorTest {
 protected:
  std::vector<DeletionVector> Written(const std::vector<std::vector<int64_t>>& vectors, std::string_view folder = "silver.t-3.1") {
    auto written = WriteDeletionVectors(*store_, "t", folder, vectors, clock_, random_);
    EXPECT_TRUE(written) << written.error().ToString();
    return *written;
  }
  std::vector<int64_t> Read(const DeletionVector& dv) {
    auto rows = ReadDeletionVector(*store_, "t", dv);
    EXPECT_TRUE(rows) << rows.error().ToString();
    return *rows;
  }
  static std::vector<int64_t> Every(int64_t step, int64_t count, int64_t from = 0) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(from + i * step);
    return rows;
  }
  SeededRandom random_{7};
};

TEST_F(WrittenDeletionVectorTest, BytesAreTheProtocols) {
  const std::vector<int64_t> rows = {3, 4, 7, 11, 18, 29};
  EXPECT_EQ(EncodeZ85(EncodeDeletionVector(rows)), kInline.path_or_inline);
  const auto dvs = Written({rows});
  EXPECT_EQ(dvs[0].storage_type, "u");  // however small
  EXPECT_EQ(dvs[0].size_in_bytes, kInline.size_in_bytes);
  EXPECT_EQ(dvs[0].cardinality, 6);
  EXPECT_EQ(Read(dvs[0]), rows);
}

TEST_F(WrittenDeletionVectorTest, AllShareOneFile) {
  std::vector<int64_t> dense = Every(1, 100000, 5);
  for (const int64_t row : Every(2, 100, 1LL << 33)) dense.push_back(row);  // another bucket
  const std::vector<std::vector<int64_t>> vectors = {Every(7, 5000), {1}, dense};
  const auto dvs = Written(vectors);
  for (size_t i = 0; i < vectors.size(); ++i) {
    EXPECT_EQ(Read(dvs[i]), vectors[i]);
    EXPECT_EQ(dvs[i].cardinality, static_cast<int64_t>(vectors[i].size()));
  }
  EXPECT_EQ(dvs[0].offset, 1);
  EXPECT_EQ(dvs[1].offset, 1 + 8 + dvs[0].size_in_bytes);
  EXPECT_EQ(dvs[2].offset, dvs[1].offset.value() + 8 + dvs[1].size_in_bytes);
  const auto files = *store_->List("t/");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_TRUE(files[0].key.starts_with("t/silver.t-3.1/deletion_vector_")) << files[0].key;
  EXPECT_EQ("t/" + *DeletionVectorFile(*store_, "t", dvs[2]), files[0].key);
  EXPECT_EQ(DeletionVectorFile(*store_, "t", kInline), std::nullopt);
}

TEST_F(WrittenDeletionVectorTest, WithoutAFolderTheFileLiesInTheRoot) {
  const auto dvs = Written({Every(3, 1000)}, "");
  EXPECT_EQ(dvs[0].path_or_inline.size(), 20u);
  EXPECT_EQ(Read(dvs[0]).size(), 1000u);
}

}  // namespace
}  // namespace sluice::delta
