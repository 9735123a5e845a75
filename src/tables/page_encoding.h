#pragma once
// Pages of a Parquet file (parquet.thrift, Encodings.md): how levels, places in a dictionary and headers are written.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sluice::tables {

// Values of `width` bits by the hybrid of runs and packed bits ("RLE/bit-packing hybrid"). A width of 0 is not written by it.
template <typename T>
void AppendHybrid(std::span<const T> values, int width, std::string* out);

// So many times the same value, by the same hybrid.
void AppendRun(uint64_t value, size_t length, int width, std::string* out);

// Levels of a data page v1, up to `greatest`, with their length: a byte for each. Empty: all of `count` are the greatest.
void AppendLevels(std::span<const uint8_t> levels, int64_t count, uint8_t greatest, std::string* out);

// Bytes of 0 or 1 as bits, the first value in the lowest one.
void AppendBits(std::span<const char> values, std::string* out);

// Bits that a place among `count` entries needs; at least 1.
int BitsOf(size_t count);

enum class PageKind { kDictionary, kPlain, kIndices };
// The header of a page of `values` values (NULLs too), `raw` bytes that were compressed to `stored` ones. Its sizes fit 31 bits.
void AppendPageHeader(PageKind kind, int64_t values, size_t raw, size_t stored, std::string* out);

}  // namespace sluice::tables
