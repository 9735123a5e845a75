#include "tables/page_encoding.h"

#include <algorithm>
#include <bit>

namespace sluice::tables {
namespace {

constexpr size_t kGroup = 8;  // values that are packed together, and the shortest run worth its header

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) *out += static_cast<char>(value | 0x80);
  *out += static_cast<char>(value);
}

template <typename T>
void AppendPacked(std::span<const T> values, int width, std::string* out) {
  if (values.empty()) return;
  const size_t groups = (values.size() + kGroup - 1) / kGroup;
  AppendVarint(groups << 1 | 1, out);
  const size_t begin = out->size();
  out->resize(begin + groups * static_cast<size_t>(width));  // the last group is filled with zeros
  auto* at = reinterpret_cast<unsigned char*>(out->data() + begin);
  uint64_t bits = 0;
  int filled = 0;
  for (const T value : values) {
    bits |= static_cast<uint64_t>(value) << filled;
    for (filled += width; filled >= 8; filled -= 8, bits >>= 8) *at++ = static_cast<unsigned char>(bits);
  }
  if (filled > 0) *at = static_cast<unsigned char>(bits);
}

void AppendLength(size_t length, char* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(length >> (8 * i));
}

// Thrift's compact protocol, as far as page headers need it: structs of 32-bit integers and of structs, with fields in order.
class ThriftWriter {
 public:
  explicit ThriftWriter(std::string* out) : out_(out) {}
  void Integer(int field, int64_t value) {
    Field(field, 5);
    AppendVarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63), out_);
  }
  // Its fields follow, then End; field numbers begin anew.
  void Struct(int field) {
    Field(field, 12);
    outer_ = last_;
    last_ = 0;
  }
  void End() {
    *out_ += '\0';
    last_ = outer_;
  }

 private:
  void Field(int field, int type) {
    *out_ += static_cast<char>((field - last_) << 4 | type);
    last_ = field;
  }

  std::string* out_;
  int last_ = 0, outer_ = 0;
};

}  // namespace

void AppendRun(uint64_t value, size_t length, int width, std::string* out) {
  AppendVarint(length << 1, out);
  for (int bit = 0; bit < width; bit += 8) *out += static_cast<char>(value >> bit);
}

template <typename T>
void AppendHybrid(std::span<const T> values, int width, std::string* out) {
  size_t packed = 0;  // from here on nothing is written yet
  for (size_t at = 0; at < values.size();) {
    size_t end = at + 1;
    while (end < values.size() && values[end] == values[at]) ++end;
    // What is packed before a run is whole groups: it takes its last values from the run.
    const size_t fill = (kGroup - (at - packed) % kGroup) % kGroup;
    if (end - at >= fill + kGroup) {
      AppendPacked(values.subspan(packed, at + fill - packed), width, out);
      AppendRun(static_cast<uint64_t>(values[at]), end - at - fill, width, out);
      packed = end;
    }
    at = end;
  }
  AppendPacked(values.subspan(packed), width, out);
}
template void AppendHybrid(std::span<const uint8_t>, int, std::string*);
template void AppendHybrid(std::span<const uint32_t>, int, std::string*);

void AppendLevels(std::span<const uint8_t> levels, int64_t count, uint8_t greatest, std::string* out) {
  const int width = std::bit_width(greatest);
  const size_t begin = out->size();
  out->append(4, '\0');
  if (levels.empty())
    AppendRun(greatest, static_cast<size_t>(count), width, out);
  else
    AppendHybrid(levels, width, out);
  AppendLength(out->size() - begin - 4, out->data() + begin);
}

void AppendBits(std::span<const char> values, std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + (values.size() + 7) / 8);
  for (size_t i = 0; i < values.size(); ++i)
    (*out)[begin + i / 8] = static_cast<char>((*out)[begin + i / 8] | static_cast<char>(values[i] << (i % 8)));
}

int BitsOf(size_t count) { return std::max(1, static_cast<int>(std::bit_width(count == 0 ? 0 : count - 1))); }

void AppendPageHeader(PageKind kind, int64_t values, size_t raw, size_t stored, std::string* out) {
  constexpr int kPlain = 0, kRle = 3, kRleDictionary = 8;  // parquet.thrift, Encoding
  ThriftWriter thrift(out);
  const bool dictionary = kind == PageKind::kDictionary;
  thrift.Integer(1, dictionary ? 2 : 0);  // PageType
  thrift.Integer(2, static_cast<int64_t>(raw));
  thrift.Integer(3, static_cast<int64_t>(stored));
  thrift.Struct(dictionary ? 7 : 5);
  thrift.Integer(1, values);
  thrift.Integer(2, kind == PageKind::kIndices ? kRleDictionary : kPlain);
  if (!dictionary) {
    thrift.Integer(3, kRle);
    thrift.Integer(4, kRle);
  }
  thrift.End();
  thrift.End();
}

}  // namespace sluice::tables
