// Deletion vectors as bytes (PROTOCOL.md, "Deletion Vector Format", "Deletion Vector File Storage Format").
#include <fmt/format.h>
#include <roaring/roaring.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "delta/deletion_vector.h"

namespace sluice::delta {
namespace {

constexpr uint32_t kMagic = 1681511377;
constexpr char kFileVersion = 1;
constexpr std::string_view kZ85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void AppendLittleEndian(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) *out += static_cast<char>(value >> (8 * i) & 0xFF);
}

void AppendBigEndian32(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) *out += static_cast<char>(value >> shift & 0xFF);
}

struct FreeBitmap {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};

// The rows of one bucket: those with the same upper 32 bits.
void AppendBucket(const std::vector<uint32_t>& low, std::string* out) {
  const std::unique_ptr<roaring_bitmap_t, FreeBitmap> bitmap(roaring_bitmap_of_ptr(low.size(), low.data()));
  roaring_bitmap_run_optimize(bitmap.get());
  const size_t at = out->size();
  out->resize(at + roaring_bitmap_portable_size_in_bytes(bitmap.get()));
  roaring_bitmap_portable_serialize(bitmap.get(), out->data() + at);
}

int HexValue(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// The 16 bytes of a UUID's text.
std::string UuidBytes(std::string_view uuid) {
  std::string digits;
  std::copy_if(uuid.begin(), uuid.end(), std::back_inserter(digits), [](char c) { return c != '-'; });
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) bytes += static_cast<char>(HexValue(digits[i]) << 4 | HexValue(digits[i + 1]));
  return bytes;
}

}  // namespace

std::string EncodeDeletionVector(const std::vector<int64_t>& rows) {
  std::string buckets;
  uint64_t count = 0;
  for (size_t i = 0; i < rows.size();) {
    const int64_t high = rows[i] >> 32;
    std::vector<uint32_t> low;
    for (; i < rows.size() && rows[i] >> 32 == high; ++i) low.push_back(static_cast<uint32_t>(rows[i]));
    AppendLittleEndian(static_cast<uint64_t>(high), 4, &buckets);
    AppendBucket(low, &buckets);
    ++count;
  }
  std::string bytes;
  AppendLittleEndian(kMagic, 4, &bytes);
  AppendLittleEndian(count, 8, &bytes);
  return bytes + buckets;
}

std::string EncodeZ85(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 4) {
    uint64_t group = 0;
    for (size_t j = i; j < i + 4; ++j) group = group << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0);
    for (uint64_t divisor = 85ULL * 85 * 85 * 85; divisor > 0; divisor /= 85) text += kZ85[group / divisor % 85];
  }
  return text;
}

Result<std::vector<DeletionVector>> WriteDeletionVectors(store::ObjectStore& store, std::string_view table_root, std::string_view folder,
                                                         const std::vector<std::vector<int64_t>>& vectors, Clock& clock, Random& random) {
  const std::string uuid = NewUuid(clock, random);
  std::string file(1, kFileVersion);
  std::vector<DeletionVector> out;
  for (const std::vector<int64_t>& rows : vectors) {
    const std::string bitmap = EncodeDeletionVector(rows);
    DeletionVector dv;
    dv.size_in_bytes = static_cast<int32_t>(bitmap.size());
    dv.cardinality = static_cast<int64_t>(rows.size());
    dv.storage_type = "u";  // never "i": Spark's VACUUM fails on a table that has one
    dv.path_or_inline = std::string(folder) + EncodeZ85(UuidBytes(uuid));
    dv.offset = static_cast<int32_t>(file.size());
    AppendBigEndian32(static_cast<uint32_t>(bitmap.size()), &file);
    file += bitmap;
    AppendBigEndian32(static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()), static_cast<uInt>(bitmap.size()))),
                      &file);
    out.push_back(std::move(dv));
  }
  if (file.size() > 1) {
    const std::string name = fmt::format("{}{}deletion_vector_{}.bin", folder, folder.empty() ? "" : "/", uuid);
    SLUICE_CHECK(store.Put(table_root.empty() ? name : fmt::format("{}/{}", table_root, name), file));
  }
  return out;
}

}  // namespace sluice::delta
