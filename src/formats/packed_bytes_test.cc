// bzip2, xz and zip: whole, in several streams, cut off at every place, and damaged.
#include <gtest/gtest.h>
#include <zlib.h>

#include <tuple>

#include "core/clock.h"
#include "formats/bytes.h"
#include "formats/test_packed.h"
#include "formats/test_zip.h"
#include "formats/zip_archive.h"
#include "store/faulty_store.h"

namespace sluice::formats {
namespace {

std::string Text(size_t bytes) {
  SeededRandom random(7);
  std::string text;
  while (text.size() < bytes) text += std::to_string(random.Next() % 100000) + "\n";
  text.resize(bytes);
  return text;
}

struct Outcome {
  std::string bytes, code;
};

Outcome Drain(Result<std::unique_ptr<ByteSource>> source, size_t piece = 1000) {
  if (!source) return {"", source.error().code};
  Outcome outcome;
  std::string buffer(piece, '\0');
  while (true) {
    const Result<size_t> n = (*source)->Read(buffer.data(), buffer.size());
    if (!n) outcome.code = n.error().code;
    if (!n || *n == 0) return outcome;
    outcome.bytes.append(buffer, 0, *n);
  }
}

Outcome Unpack(std::string bytes, Compression compression, size_t piece = 1000) {
  return Drain(Decompress(BytesOf(std::move(bytes)), compression, "f"), piece);
}

struct Kind {
  Compression compression;
  std::string (*pack)(std::string);
};
const Kind kKinds[] = {{Compression::kBzip2, Bzip2}, {Compression::kXz, [](std::string text) { return Xz(text); }}};

TEST(PackedBytes, GiveWhatWasPackedInPiecesOfAnySize) {
  const std::string text = Text(300000);
  for (const Kind& kind : kKinds) {
    const std::string packed = kind.pack(text.substr(0, 100000)) + kind.pack("") + kind.pack(text.substr(100000));
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, size_t{1} << 20}) {
      const Outcome got = Unpack(packed, kind.compression, piece);
      EXPECT_EQ(got.code, "") << ToString(kind.compression);
      EXPECT_TRUE(got.bytes == text) << ToString(kind.compression) << " " << piece;
    }
    EXPECT_EQ(DetectCompression("f", packed.substr(0, 16)), kind.compression);
    EXPECT_EQ(CompressionNamed(ToString(kind.compression)), kind.compression);
  }
}

TEST(PackedBytes, CutOffAnywhereIsTruncated) {
  const std::string text = Text(2000);
  for (const Kind& kind : kKinds) {
    const std::string packed = kind.pack(text);
    for (size_t length = 0; length < packed.size(); ++length) {
      const Outcome got = Unpack(packed.substr(0, length), kind.compression);
      EXPECT_EQ(got.code, "truncated-archive") << ToString(kind.compression) << " " << length;
      EXPECT_TRUE(text.starts_with(got.bytes));
    }
  }
}

// No byte of an archive is without meaning: a change is told, or changes nothing of what is given.
TEST(PackedBytes, DamageIsTold) {
  const std::string text = Text(2000);
  for (const Kind& kind : kKinds) {
    const std::string packed = kind.pack(text);
    for (size_t at = 0; at < packed.size(); ++at) {
      std::string damaged = packed;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      const Outcome got = Unpack(damaged, kind.compression);
      EXPECT_TRUE(!got.code.empty() || got.bytes == text) << ToString(kind.compression) << " " << at;
    }
    EXPECT_EQ(Unpack("no archive at all", kind.compression).code, "corrupt-archive");
    EXPECT_NE(Unpack(packed + "x", kind.compression).code, "");
    EXPECT_EQ(Unpack(packed + std::string(20, 'x'), kind.compression).code, "corrupt-archive");
  }
}

// A block's head (xz-file-format 1.1.0, section 3.1) that asks for 256 MiB: the property of LZMA2 and the checksum are changed.
TEST(PackedBytes, AnXzFileWithTooLargeADictionaryIsNotCalledCorrupt) {
  std::string packed = Xz("id\n1\n");
  const size_t head = 12, size = 4 * static_cast<size_t>(packed[head]), filter = packed.find("\x21\x01", head);  // the checksum follows
  ASSERT_LT(filter, head + size);
  packed[filter + 2] = '\x20';
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(packed.data() + head), static_cast<uInt>(size));
  for (size_t i = 0; i < 4; ++i) packed[head + size + i] = static_cast<char>(sum >> (8 * i));
  auto source = Decompress(BytesOf(packed), Compression::kXz, "f.xz");
  char buffer[100];
  const auto got = source->Read(buffer, sizeof(buffer));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(got.error().code, "unsupported-compression");
  EXPECT_NE(got.error().message.find("f.xz is an xz file whose dictionary needs 256"), std::string::npos) << got.error().message;
}

class ZipTest : public ::testing::Test {
 protected:
  ArchiveListing List(const std::string& bytes, const std::string& glob = "") {
    EXPECT_TRUE(store_->Put("a.zip", bytes));
    auto listing = ListArchive(*store_, *store_->Head("a.zip"), glob);
    EXPECT_TRUE(listing) << listing.error().ToString();
    return listing ? *std::move(listing) : ArchiveListing{};
  }
  Outcome Read(const ArchiveMember& member, size_t piece = 1000) {
    return Drain(OpenMember(*store_, *store_->Head("a.zip"), member), piece);
  }

  FixedClock clock_{Instant{1}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

TEST_F(ZipTest, MembersAreReadEachByItself) {
  const std::string text = Text(3000000);
  for (const bool zip64 : {false, true}) {
    const auto listing =
        List(ZipOf({{"b.csv", "2"}, {"a/c.csv", text}, {"__MACOSX/b.csv", "x"}, {".b", "x"}, {"a/", ""}, {"empty.csv", ""}}, zip64));
    ASSERT_EQ(listing.members.size(), 3u);
    EXPECT_EQ(listing.left_out, 3);
    EXPECT_EQ(listing.members[0].path, "a/c.csv");
    EXPECT_TRUE(Read(listing.members[0], 7919).bytes == text);
    EXPECT_EQ(Read(listing.members[1]).bytes, "2");
    EXPECT_EQ(Read(listing.members[2]).bytes, "");
    EXPECT_EQ(Read(listing.members[2]).code, "");
  }
  EXPECT_EQ(List(ZipOf({{"a.csv", "1"}, {"b.txt", "2"}}), "*.csv").members.size(), 1u);
  EXPECT_EQ(List(ZipOf({})).members.size(), 0u);
}

// Of ten thousand members each is found at once, and none is held.
// The method of a member that is packed already: as the local head and the directory have it (APPNOTE 4.3.7, 4.3.12).
std::string ZipOfPacked(const std::string& text, const std::string& packed, uint16_t method) {
  const std::string path = std::filesystem::temp_directory_path() / ("sluice-raw-zip-" + std::to_string(getpid()));
  const zipFile zip = zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
  const zip_fileinfo info = {};
  zipOpenNewFileInZip2(zip, "a.csv", &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED, 6, 1);
  zipWriteInFileInZip(zip, packed.data(), static_cast<unsigned>(packed.size()));
  zipCloseFileInZipRaw(zip, text.size(), crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
  zipClose(zip, nullptr);
  std::stringstream stream;
  stream << std::ifstream(path, std::ios::binary).rdbuf();
  std::filesystem::remove(path);
  std::string bytes = stream.str();
  for (const auto& [mark, place] : {std::pair("PK\x03\x04", 8), std::pair("PK\x01\x02", 10)}) {
    const size_t at = bytes.find(mark) + static_cast<size_t>(place);
    bytes[at] = static_cast<char>(method & 0xff);
    bytes[at + 1] = static_cast<char>(method >> 8);
  }
  return bytes;
}

TEST_F(ZipTest, MembersPackedByOtherMethodsAreRead) {
  const std::string text = Text(100000);
  const std::string zstd = Zstd(text);
  const std::tuple<const char*, uint16_t, std::string> methods[] = {{"bzip2", 12, Bzip2(text)}, {"zstd", 93, zstd}, {"xz", 95, Xz(text)}};
  for (const auto& [name, method, packed] : methods) {
    for (const std::string prefix : {"", "#!/bin/sh\nexec unpack\n"}) {  // archives that unpack themselves have something in front
      const auto listing = List(prefix + ZipOfPacked(text, packed, method));
      ASSERT_EQ(listing.members.size(), 1u) << name;
      const Outcome got = Read(listing.members[0]);
      EXPECT_EQ(got.code, "") << name << prefix;
      EXPECT_TRUE(got.bytes == text) << name << prefix;
    }
  }
}

TEST_F(ZipTest, ManyMembers) {
  std::vector<ZipPart> files;
  for (int i = 0; i < 10000; ++i) files.push_back({"part-" + std::to_string(100000 + i) + ".csv", std::to_string(i)});
  const auto listing = List(ZipOf(files));
  ASSERT_EQ(listing.members.size(), files.size());
  for (const size_t i : {0, 1, 4999, 9999}) EXPECT_EQ(Read(listing.members[i]).bytes, std::to_string(i));
}

TEST_F(ZipTest, CutOffAnywhereIsTold) {
  const std::string packed = ZipOf({{"a.csv", Text(1000)}, {"b.csv", "1"}});
  for (size_t length = 0; length < packed.size(); ++length) {
    ASSERT_TRUE(store_->Put("a.zip", packed.substr(0, length)));
    const auto listing = ListArchive(*store_, *store_->Head("a.zip"), "");
    ASSERT_FALSE(listing) << length;
    EXPECT_TRUE(listing.error().code == "truncated-archive" || listing.error().code == "corrupt-archive") << listing.error().code;
  }
}

TEST_F(ZipTest, DamageIsTold) {
  const std::string text = Text(1000), packed = ZipOf({{"a.csv", text}});
  int told = 0;
  for (size_t at = 0; at < packed.size(); ++at) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
    ASSERT_TRUE(store_->Put("a.zip", damaged));
    const auto listing = ListArchive(*store_, *store_->Head("a.zip"), "");
    if (!listing) {
      ++told;
      continue;
    }
    for (const ArchiveMember& member : listing->members) {
      const Outcome got = Read(member);
      told += !got.code.empty();
      EXPECT_TRUE(!got.code.empty() || got.bytes == text) << at;
    }
  }
  EXPECT_GT(told, static_cast<int>(packed.size() / 2));
}

TEST_F(ZipTest, AnArchiveThatIsReplacedWhileItIsReadIsTold) {
  const auto listing = List(ZipOf({{"a.csv", Text(10000)}}));
  auto source = OpenMember(*store_, *store_->Head("a.zip"), listing.members[0]);
  ASSERT_TRUE(source);
  ASSERT_TRUE(store_->Put("a.zip", ZipOf({{"a.csv", Text(20000)}})));
  EXPECT_EQ(Drain(std::move(source)).code, "file-changed-while-read");
}

// A file is not to be asked for again because the network was away.
TEST_F(ZipTest, TheStoresErrorsStayTheStores) {
  const auto listing = List(ZipOf({{"a.csv", Text(500000)}}));
  const store::ObjectMeta archive = *store_->Head("a.zip");
  store::FaultyStore counting(*store_);
  ASSERT_EQ(Drain(OpenMember(counting, archive, listing.members[0])).code, "");
  ASSERT_GE(counting.operation_count(), 3);
  for (int64_t at = 1; at <= counting.operation_count(); ++at) {
    store::FaultyStore faulty(*store_, {{{.at = at}}});
    EXPECT_EQ(Drain(OpenMember(faulty, archive, listing.members[0])).code, "injected-fault") << at;
    store::FaultyStore again(*store_, {{{.at = at}}});
    const auto listed = ListArchive(again, archive, "");
    EXPECT_TRUE(listed || listed.error().code == "injected-fault") << at;
  }
}

}  // namespace
}  // namespace sluice::formats
