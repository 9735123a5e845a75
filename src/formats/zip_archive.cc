#include "formats/zip_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/zip_file.h"

namespace sluice::formats {
namespace {

constexpr uint32_t kEncrypted = 1;  // bit of the general flags (APPNOTE.TXT, section 4.4.4)

// APPNOTE.TXT, section 4.4.5.
enum Method : uint32_t { kStored = 0, kDeflated = 8, kBzip2Method = 12, kZstdMethod = 93, kXzMethod = 95 };

std::string NameOfMethod(uint32_t method) {
  switch (method) {
    case 9:
      return "Deflate64";
    case 14:
      return "LZMA";
    case 98:
      return "PPMd";
    case 99:
      return "AES encryption";
    default:
      return fmt::format("method {}", method);
  }
}

struct Entry {
  std::string path;
  unz_file_info64 info = {};
};

// Old archives have names in the code page of their maker: bytes that are no UTF-8 are shown as %HH.
std::string Readable(const std::string& name) {
  if (IsValidUtf8(name)) return name;
  std::string out;
  for (const char c : name)
    out += static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

Result<Entry> CurrentEntry(const ZipFile& zip) {
  Entry entry;
  std::string name(UINT16_MAX, '\0');
  if (unzGetCurrentFileInfo64(zip.raw(), &entry.info, name.data(), name.size(), nullptr, 0, nullptr, 0) != UNZ_OK)
    return Fail(zip.ErrorOf("an entry of its directory cannot be read"));
  name.resize(std::min<size_t>(name.size(), entry.info.size_filename));
  std::replace(name.begin(), name.end(), '\\', '/');  // as some writers on Windows have it
  entry.path = Readable(name);
  return entry;
}

bool IsLeftOut(const std::string& path, const std::string& glob) {
  if (path.empty() || path.ends_with('/')) return true;
  for (const std::string& part : Split(path, '/'))
    if (part.starts_with('.') || part == "__MACOSX") return true;
  return !glob.empty() && !GlobMatch(glob, path);
}

// A record of the archive's, of which numbers are read; the lowest byte is first.
struct HeadBytes {
  std::string bytes;
  uint64_t Number(size_t at, size_t size) const {
    uint64_t number = 0;
    for (size_t i = size; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
    return number;
  }
};

Result<HeadBytes> ReadHead(ZipFile& zip, uint64_t at, size_t size, std::string_view signature) {
  HeadBytes head{std::string(size, '\0')};
  const bool there = zip.window().Seek(static_cast<int64_t>(at)) && zip.window().Read(head.bytes.data(), size) == size;
  if (!there || !head.bytes.starts_with(signature)) return Fail(zip.ErrorOf("an entry of its directory is not where it should be"));
  return head;
}

// Where a member's own head stands: in the directory, or in its field of 64 bits (APPNOTE.TXT, sections 4.3.12 and 4.5.3).
Result<uint64_t> HeadOf(ZipFile& zip, const ArchiveMember& member) {
  constexpr size_t kEntry = 46;
  constexpr uint64_t kElsewhere = UINT32_MAX;
  uint64_t prefix = 0;
  auto found = ReadHead(zip, member.directory_offset, kEntry, "PK\x01\x02");
  if (!found) {
    prefix = zip.prefix();
    found = ReadHead(zip, member.directory_offset + prefix, kEntry, "PK\x01\x02");
  }
  SLUICE_TRY(const HeadBytes entry, std::move(found));
  if (entry.Number(42, 4) != kElsewhere) return prefix + entry.Number(42, 4);
  const size_t size = entry.Number(30, 2);
  SLUICE_TRY(const HeadBytes extra, ReadHead(zip, prefix + member.directory_offset + kEntry + entry.Number(28, 2), size, ""));
  for (size_t at = 0; at + 4 <= size; at += 4 + extra.Number(at + 2, 2)) {
    const size_t sizes = (entry.Number(24, 4) == kElsewhere ? 8U : 0U) + (entry.Number(20, 4) == kElsewhere ? 8U : 0U);
    if (extra.Number(at, 2) == 1 && at + 4 + sizes + 8 <= size) return prefix + extra.Number(at + 4 + sizes, 8);
  }
  return Fail(zip.ErrorOf(fmt::format("its directory does not say where {} begins", member.path)));
}

// The bytes of a member as they are stored. minizip opens no member that is packed by a method which it does not know.
class PackedBytes : public ByteSource {
 public:
  static Result<std::unique_ptr<ByteSource>> Open(std::shared_ptr<ZipFile> zip, const ArchiveMember& member, uint64_t size) {
    constexpr size_t kHead = 30;
    SLUICE_TRY(const uint64_t at, HeadOf(*zip, member));
    SLUICE_TRY(const HeadBytes head, ReadHead(*zip, at, kHead, "PK\x03\x04"));
    if (!zip->window().Seek(static_cast<int64_t>(at + kHead + head.Number(26, 2) + head.Number(28, 2))))
      return Fail(zip->ErrorOf(fmt::format("the data of {} is not where its directory says", member.path)));
    return std::make_unique<PackedBytes>(std::move(zip), size);
  }
  PackedBytes(std::shared_ptr<ZipFile> zip, uint64_t left) : zip_(std::move(zip)), left_(left) {}
  Result<size_t> Read(char* buffer, size_t capacity) override {
    const size_t n = zip_->window().Read(buffer, static_cast<size_t>(std::min<uint64_t>(capacity, left_)));
    if (zip_->window().error()) return Fail(*zip_->window().error());
    left_ -= n;
    return n;
  }

 private:
  std::shared_ptr<ZipFile> zip_;
  uint64_t left_;
};

// The bytes of the entry that is open, unpacked.
class EntryBytes : public ByteSource {
 public:
  EntryBytes(std::shared_ptr<ZipFile> zip, std::string path) : zip_(std::move(zip)), path_(std::move(path)) {}
  Result<size_t> Read(char* buffer, size_t capacity) override {
    const int n = unzReadCurrentFile(zip_->raw(), buffer, static_cast<unsigned>(std::min<size_t>(capacity, 1u << 30)));
    if (n >= 0) return static_cast<size_t>(n);
    return Fail(zip_->ErrorOf(fmt::format("the data of {} cannot be unpacked", path_)));
  }

 private:
  std::shared_ptr<ZipFile> zip_;
  std::string path_;
};

// Bytes whose number and checksum must be what the directory says.
class CheckedBytes : public ByteSource {
 public:
  CheckedBytes(std::shared_ptr<ZipFile> zip, Entry entry, std::unique_ptr<ByteSource> inner)
      : zip_(std::move(zip)), entry_(std::move(entry)), inner_(std::move(inner)) {}

  Result<size_t> Read(char* buffer, size_t capacity) override {
    if (capacity == 0 || done_) return size_t{0};
    SLUICE_TRY(const size_t n, inner_->Read(buffer, capacity));
    size_ += n;
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(buffer), n);
    if (size_ > entry_.info.uncompressed_size) return Fail(zip_->ErrorOf(fmt::format("{} is longer than its directory says", entry_.path)));
    if (n > 0) return n;
    if (size_ < entry_.info.uncompressed_size)
      return Fail(zip_->ErrorOf(fmt::format("{} is shorter than its directory says", entry_.path)));
    if (crc_ != entry_.info.crc) return Fail(zip_->ErrorOf(fmt::format("the checksum of {} is wrong", entry_.path)));
    SLUICE_CHECK(zip_->window().CheckUnchanged());
    done_ = true;
    return size_t{0};
  }

 private:
  std::shared_ptr<ZipFile> zip_;
  Entry entry_;
  std::unique_ptr<ByteSource> inner_;
  uint64_t size_ = 0;
  uLong crc_ = 0;
  bool done_ = false;
};

Result<Compression> PackedBy(const ZipFile& zip, const Entry& entry) {
  if (entry.info.flag & kEncrypted)
    return Fail(DataError("encrypted-archive", fmt::format("{} of {} is encrypted", entry.path, zip.uri()))
                    .Hint("ask for it without a password, or decrypt it on its way here"));
  switch (entry.info.compression_method) {
    case kStored:
    case kDeflated:
      return Compression::kNone;
    case kBzip2Method:
      return Compression::kBzip2;
    case kZstdMethod:
      return Compression::kZstd;
    case kXzMethod:
      return Compression::kXz;
    default:
      return Fail(
          UnsupportedError("unsupported-compression", fmt::format("{} of {} is packed with {}", entry.path, zip.uri(),
                                                                  NameOfMethod(static_cast<uint32_t>(entry.info.compression_method))))
              .Hint("have it packed with deflate, which every tool does by default"));
  }
}

// The entry that the archive stands at, unpacked.
Result<std::unique_ptr<ByteSource>> OpenEntry(const std::shared_ptr<ZipFile>& zip, const Entry& entry, const ArchiveMember& member,
                                              Compression packed) {
  if (packed != Compression::kNone) {
    SLUICE_TRY(auto bytes, PackedBytes::Open(zip, member, entry.info.compressed_size));
    return Decompress(std::move(bytes), packed, zip->uri() + "/" + entry.path);
  }
  if (unzOpenCurrentFile(zip->raw()) != UNZ_OK)
    return Fail(zip->ErrorOf(fmt::format("the data of {} is not where its directory says", entry.path)));
  return std::make_unique<EntryBytes>(zip, entry.path);
}

}  // namespace

Result<ArchiveListing> ListArchive(store::ObjectStore& store, const store::ObjectMeta& archive, const std::string& glob) {
  SLUICE_TRY(const auto zip, ZipFile::Open(store, archive));
  ArchiveListing listing;
  if (zip->empty()) return listing;
  unz_global_info64 info = {};
  if (unzGetGlobalInfo64(zip->raw(), &info) != UNZ_OK) return Fail(zip->ErrorOf("its directory cannot be read"));
  int code = info.number_entry == 0 ? UNZ_END_OF_LIST_OF_FILE : unzGoToFirstFile(zip->raw());
  for (; code == UNZ_OK; code = unzGoToNextFile(zip->raw())) {
    SLUICE_TRY(Entry entry, CurrentEntry(*zip));
    unz64_file_pos place = {};
    if (unzGetFilePos64(zip->raw(), &place) != UNZ_OK) return Fail(zip->ErrorOf("its directory cannot be read"));
    if (IsLeftOut(entry.path, glob))
      ++listing.left_out;
    else
      listing.members.push_back({std::move(entry.path), place.pos_in_zip_directory, place.num_of_file});
  }
  if (code != UNZ_END_OF_LIST_OF_FILE) return Fail(zip->ErrorOf("its directory cannot be read"));
  std::sort(listing.members.begin(), listing.members.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  const auto twice =
      std::adjacent_find(listing.members.begin(), listing.members.end(), [](const auto& a, const auto& b) { return a.path == b.path; });
  if (twice != listing.members.end()) return Fail(zip->ErrorOf(fmt::format("it has two members of the name {}", twice->path)));
  return listing;
}

Result<std::unique_ptr<ByteSource>> OpenMember(store::ObjectStore& store, const store::ObjectMeta& archive, const ArchiveMember& member) {
  SLUICE_TRY(auto opened, ZipFile::Open(store, archive));
  std::shared_ptr<ZipFile> zip = std::move(opened);
  if (zip->empty()) return Fail(zip->ErrorOf(fmt::format("{} is not in its directory", member.path)));
  const unz64_file_pos place = {member.directory_offset, member.number};
  if (unzGoToFilePos64(zip->raw(), &place) != UNZ_OK) return Fail(zip->ErrorOf(fmt::format("{} is not in its directory", member.path)));
  SLUICE_TRY(Entry entry, CurrentEntry(*zip));
  if (entry.path != member.path) return Fail(zip->ErrorOf(fmt::format("{} is not where its directory had it", member.path)));
  SLUICE_TRY(const Compression packed, PackedBy(*zip, entry));
  SLUICE_TRY(auto bytes, OpenEntry(zip, entry, member, packed));
  return std::make_unique<CheckedBytes>(zip, std::move(entry), std::move(bytes));
}

}  // namespace sluice::formats
