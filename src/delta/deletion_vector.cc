#include "delta/deletion_vector.h"

#include <fmt/format.h>
#include <roaring/roaring.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "core/counted.h"
#include "delta/path.h"

namespace sluice::delta {
namespace {

constexpr uint32_t kMagic = 1681511377;
constexpr size_t kZ85UuidLength = 20;
constexpr std::string_view kZ85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

constexpr std::array<int16_t, 256> Z85Values() {
  std::array<int16_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kZ85.size(); ++i) values[static_cast<unsigned char>(kZ85[i])] = static_cast<int16_t>(i);
  return values;
}

uint64_t Byte(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
uint32_t LittleEndian32(std::string_view b) {
  return static_cast<uint32_t>(Byte(b, 0) | Byte(b, 1) << 8 | Byte(b, 2) << 16 | Byte(b, 3) << 24);
}
uint64_t LittleEndian64(std::string_view b) { return LittleEndian32(b) | static_cast<uint64_t>(LittleEndian32(b.substr(4))) << 32; }
uint32_t BigEndian32(std::string_view b) {
  return static_cast<uint32_t>(Byte(b, 0) << 24 | Byte(b, 1) << 16 | Byte(b, 2) << 8 | Byte(b, 3));
}

Error Broken(std::string_view what) { return BadLog(fmt::format("broken deletion vector: {}", what)); }

struct FreeBitmap {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};

// One 32-bit bucket at the start of `bytes`; gives the number of bytes it took.
Result<size_t> DecodeBucket(std::string_view bytes, int64_t base, std::vector<int64_t>* rows) {
  const size_t size = roaring_bitmap_portable_deserialize_size(bytes.data(), bytes.size());
  std::unique_ptr<roaring_bitmap_t, FreeBitmap> bitmap(size == 0 ? nullptr
                                                                 : roaring_bitmap_portable_deserialize_safe(bytes.data(), bytes.size()));
  if (!bitmap) return Fail(Broken("no roaring bitmap"));
  std::vector<uint32_t> low(roaring_bitmap_get_cardinality(bitmap.get()));
  roaring_bitmap_to_uint32_array(bitmap.get(), low.data());
  for (const uint32_t row : low) rows->push_back(base + row);
  return size;
}

std::string Hyphenated(std::string_view uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(uuid[i]));
  }
  return text;
}

// "<prefix><Z85 of a UUID>" → "prefix/deletion_vector_<uuid>.bin", relative to the table's root.
Result<std::string> RelativePath(std::string_view text) {
  if (text.size() < kZ85UuidLength) return Fail(Broken("its name is too short"));
  const auto prefix = text.substr(0, text.size() - kZ85UuidLength);
  SLUICE_TRY(auto uuid, DecodeZ85(text.substr(prefix.size())));
  return fmt::format("{}{}deletion_vector_{}.bin", prefix, prefix.empty() ? "" : "/", Hyphenated(uuid));
}

// The key of the vector's file. A path outside the store cannot be opened through it.
Result<std::string> FileKey(const store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv) {
  if (dv.storage_type == "u") {
    SLUICE_TRY(auto path, RelativePath(dv.path_or_inline));
    return table_root.empty() ? path : fmt::format("{}/{}", table_root, path);
  }
  const std::string path = PathKey(dv.path_or_inline), root = store.Uri(std::string(table_root)) + "/";
  if (path.starts_with(root)) return StoreKey(table_root, LogPath(path.substr(root.size())));
  return Fail(UnsupportedError("unsupported-feature", fmt::format("a deletion vector lies outside the table, at {}", path)));
}

// The file's layout at the vector's offset: size (4 bytes), bitmap, CRC-32 of the bitmap (4 bytes).
Result<std::string> ReadBitmap(store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv) {
  SLUICE_TRY(auto key, FileKey(store, table_root, dv));
  if (dv.size_in_bytes <= 0) return Fail(Broken("it has no size"));
  const int64_t length = static_cast<int64_t>(dv.size_in_bytes) + 8;
  auto read = store.GetRange(key, dv.offset.value_or(0), length);
  if (!read && read.error().kind == ErrorKind::kNotFound)  // VACUUM takes those of older versions: no damage to the log
    return Fail(ConflictError("data-file-missing", fmt::format("the deletion vector file {} is gone", key))
                    .Hint("VACUUM removes what only older versions need: read a newer one (sluice table history); where it is the newest, "
                          "put the file back from a backup"));
  if (!read) return Fail(std::move(read).error());
  const std::string_view block(*read);
  if (static_cast<int64_t>(block.size()) != length) return Fail(Broken(fmt::format("{} is too short", key)));
  if (BigEndian32(block) != static_cast<uint32_t>(dv.size_in_bytes))
    return Fail(Broken(fmt::format("{} has another size at this offset", key)));
  const auto bitmap = block.substr(4, static_cast<size_t>(dv.size_in_bytes));
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()), static_cast<uInt>(bitmap.size()));
  if (BigEndian32(block.substr(4 + bitmap.size())) != crc) return Fail(Broken(fmt::format("the checksum in {} does not fit", key)));
  return std::string(bitmap);
}

Result<std::string> BitmapOf(store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv) {
  if (dv.storage_type == "u" || dv.storage_type == "p") return ReadBitmap(store, table_root, dv);
  if (dv.storage_type != "i")
    return Fail(UnsupportedError("unsupported-feature", fmt::format("deletion vectors of storage type {}", dv.storage_type)));
  SLUICE_TRY(auto bitmap, DecodeZ85(dv.path_or_inline));
  if (dv.size_in_bytes < 0 || static_cast<size_t>(dv.size_in_bytes) > bitmap.size()) return Fail(Broken("the inline text is too short"));
  bitmap.resize(static_cast<size_t>(dv.size_in_bytes));  // Z85 comes in groups of four bytes
  return bitmap;
}

}  // namespace

Result<std::string> DecodeZ85(std::string_view text) {
  static constexpr auto kValues = Z85Values();
  if (text.size() % 5 != 0) return Fail(Broken("its text is no Z85"));
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 5) {
    uint64_t group = 0;
    for (size_t j = i; j < i + 5; ++j) {
      const int value = kValues[static_cast<unsigned char>(text[j])];
      if (value < 0) return Fail(Broken("its text is no Z85"));
      group = group * 85 + static_cast<uint64_t>(value);
    }
    if (group > UINT32_MAX) return Fail(Broken("its text is no Z85"));
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(group >> shift & 0xFF);
  }
  return bytes;
}

Result<std::vector<int64_t>> DecodeDeletionVector(std::string_view bitmap) {
  if (bitmap.size() < 12 || LittleEndian32(bitmap) != kMagic) return Fail(Broken("an unknown format"));
  const uint64_t buckets = LittleEndian64(bitmap.substr(4));
  std::vector<int64_t> rows;
  size_t at = 12;
  for (uint64_t bucket = 0; bucket < buckets; ++bucket) {
    if (bitmap.size() - at < 4) return Fail(Broken("it ends early"));
    const uint32_t high = LittleEndian32(bitmap.substr(at));
    if (high > INT32_MAX) return Fail(Broken("a row number is negative"));
    SLUICE_TRY(const size_t size, DecodeBucket(bitmap.substr(at + 4), static_cast<int64_t>(high) << 32, &rows));
    at += 4 + size;
  }
  return rows;
}

std::optional<std::string> DeletionVectorFile(const store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv) {
  if (dv.storage_type != "u" && dv.storage_type != "p") return std::nullopt;
  const auto key = FileKey(store, table_root, dv);
  if (!key) return std::nullopt;
  return table_root.empty() ? *key : key->substr(table_root.size() + 1);
}

Result<std::vector<int64_t>> ReadDeletionVector(store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv) {
  SLUICE_TRY(auto bitmap, BitmapOf(store, table_root, dv));
  SLUICE_TRY(auto rows, DecodeDeletionVector(bitmap));
  if (static_cast<int64_t>(rows.size()) != dv.cardinality)
    return Fail(Broken(fmt::format("it removes {} and not {}", Counted(static_cast<int64_t>(rows.size()), "row"), dv.cardinality)));
  return rows;
}

}  // namespace sluice::delta
