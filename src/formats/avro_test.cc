// Avro's container files: every codec, and UUIDs.
#include "formats/avro.h"

#include <arrow/util/compression.h>
#include <zlib.h>

#include "formats/reader_fixture.h"
#include "formats/test_packed.h"

namespace sluice::formats {
namespace {

std::string Long(int64_t value) {  // zigzag, in groups of seven bits
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  std::string out;
  for (; bits >= 0x80; bits >>= 7) out += static_cast<char>(bits | 0x80);
  return out + static_cast<char>(bits);
}
std::string Text(const std::string& text) { return Long(static_cast<int64_t>(text.size())) + text; }

std::string FileOf(const std::string& fields, const std::string& codec, int64_t count, const std::string& packed) {
  const std::string sync = "0123456789abcdef", schema = R"({"type":"record","name":"r","fields":[)" + fields + "]}";
  return "Obj\x01" + Long(2) + Text("avro.codec") + Text(codec) + Text("avro.schema") + Text(schema) + Long(0) + sync + Long(count) +
         Text(packed) + sync;
}

std::string Snapped(const std::string& text) {
  const auto codec = *arrow::util::Codec::Create(arrow::Compression::SNAPPY);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  std::string out(static_cast<size_t>(codec->MaxCompressedLen(size, bytes)), '\0');
  out.resize(static_cast<size_t>(*codec->Compress(size, bytes, static_cast<int64_t>(out.size()), reinterpret_cast<uint8_t*>(out.data()))));
  const uLong sum = crc32(0, bytes, static_cast<uInt>(text.size()));  // of what was packed, the highest byte first
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(sum >> shift);
  return out;
}

class AvroTest : public ReaderTest {};

TEST_F(AvroTest, EveryCodecGivesTheSameRows) {
  Column("id", "bigint"), Column("name", "string");
  std::string block;
  for (int64_t i = 0; i < 5000; ++i) block += Long(i) + Text("name " + std::to_string(i % 7));
  const std::pair<const char*, std::string> all[] = {{"null", block},
                                                     {"deflate", Deflated(block, -MAX_WBITS)},
                                                     {"snappy", Snapped(block)},
                                                     {"zstandard", Zstd(block)},
                                                     {"bzip2", Bzip2(block)},
                                                     {"xz", Xz(block)}};
  for (const auto& [codec, packed] : all) {
    ASSERT_TRUE(store_->Put("f", FileOf(R"({"name":"id","type":"long"},{"name":"name","type":"string"})", codec, 5000, packed)));
    const Rows got = ReadAll(OpenAvro(Request()));
    EXPECT_EQ(got.error, "") << codec;
    ASSERT_EQ(got.rows.size(), 5000u) << codec;
    EXPECT_EQ(got.rows[4999], "4999 | name 1") << codec;
  }
}

TEST_F(AvroTest, ADamagedSnappyBlockIsTold) {
  Column("id", "bigint");
  std::string packed = Snapped(Long(1));
  packed.back() ^= 1;
  ASSERT_TRUE(store_->Put("f", FileOf(R"({"name":"id","type":"long"})", "snappy", 1, packed)));
  const auto reader = OpenAvro(Request());
  ASSERT_TRUE(reader);
  const auto block = (*reader)->Next();
  ASSERT_TRUE(block);
  const auto batch = (*block)->Decode();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, "corrupt-file");
}

TEST_F(AvroTest, UuidsAreTheirTextOrTheirBytes) {
  const std::string uuid = R"("type":{"type":"fixed","name":"NAME","size":16,"logicalType":"uuid"}})";
  const auto field = [&](const std::string& name) {
    std::string type = uuid;
    return R"({"name":")" + name + "\"," + type.replace(type.find("NAME"), 4, "t" + name);
  };
  const std::string list = R"({"name":"l","type":{"type":"array","items":"tt"}})";
  ASSERT_TRUE(store_->Put("f", FileOf(field("t") + "," + field("b") + "," + list + "," + field("n"), "null", 1,
                                      "0123456789abcdefABCDEFGHIJKLMNOP" + Long(1) + "0123456789abcdef" + Long(0) + "0123456789abcdef")));
  Column("t", "string"), Column("b", "binary"), Column("l", "list<string>");
  const Rows got = ReadAll(OpenAvro(Request()));
  EXPECT_EQ(got.error, "");
  ASSERT_EQ(got.rows.size(), 1u);
  EXPECT_TRUE(got.rows[0].starts_with("30313233-3435-3637-3839-616263646566 | ")) << got.rows[0];
  EXPECT_EQ(got.rows[0].find("41424344-4546"), std::string::npos) << got.rows[0];
  EXPECT_NE(got.rows[0].find("[30313233-3435-3637-3839-616263646566]"), std::string::npos) << got.rows[0];
  const auto added = NewAvroColumns(Request());
  ASSERT_TRUE(added);
  ASSERT_EQ(added->size(), 1u);
  EXPECT_EQ((*added)[0].type.ToString(), "string");
}

}  // namespace
}  // namespace sluice::formats
