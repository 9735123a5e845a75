#include "tables/growing_bytes.h"

#include <arrow/memory_pool.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace sluice::tables {
namespace {

constexpr size_t kLeastBytes = 512;  // that are asked for at once
// From here on malloc's, which moves pages without copying them; below, those of an allocator with size classes: thousands of small pieces
// that grow leave malloc in tatters.
constexpr size_t kLargeBytes = 32 << 10;

void Free(uint8_t* data, size_t capacity) {
  if (capacity >= kLargeBytes)
    std::free(data);
  else if (data != nullptr)
    arrow::default_memory_pool()->Free(data, static_cast<int64_t>(capacity));
}

uint8_t* Allocated(size_t bytes) {
  if (bytes >= kLargeBytes) return static_cast<uint8_t*>(std::malloc(bytes));
  uint8_t* data = nullptr;
  return arrow::default_memory_pool()->Allocate(static_cast<int64_t>(bytes), &data).ok() ? data : nullptr;
}

uint8_t* Moved(uint8_t* data, size_t size, size_t capacity, size_t wanted) {
  const bool large = capacity >= kLargeBytes;
  auto* moved = large ? static_cast<uint8_t*>(std::realloc(data, wanted)) : Allocated(wanted);
  if (moved == nullptr) throw std::bad_alloc();
  if (large) return moved;
  if (size > 0) std::memcpy(moved, data, size);
  Free(data, capacity);
  return moved;
}

}  // namespace

GrowingBytes::~GrowingBytes() { Free(data_, capacity_); }

GrowingBytes::GrowingBytes(GrowingBytes&& other) noexcept { *this = std::move(other); }

GrowingBytes& GrowingBytes::operator=(GrowingBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

char* GrowingBytes::Reserve(size_t bytes) {
  if (size_ + bytes > capacity_) {
    const size_t wanted = std::max({size_ + bytes, capacity_ + capacity_ / 2, kLeastBytes});
    data_ = Moved(data_, size_, capacity_, wanted);
    capacity_ = wanted;
  }
  return reinterpret_cast<char*>(data_) + size_;
}

}  // namespace sluice::tables
