#include "tables/growing_bytes.h"

#include <arrow/memory_pool.h>

#include <algorithm>
#include <new>
#include <utility>

namespace sluice::tables {
namespace {

constexpr size_t kLeastBytes = 512;  // that are asked for at once

}  // namespace

GrowingBytes::~GrowingBytes() {
  if (data_ != nullptr) arrow::default_memory_pool()->Free(data_, static_cast<int64_t>(capacity_));
}

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
    arrow::MemoryPool& pool = *arrow::default_memory_pool();
    const auto status = data_ == nullptr ? pool.Allocate(static_cast<int64_t>(wanted), &data_)
                                         : pool.Reallocate(static_cast<int64_t>(capacity_), static_cast<int64_t>(wanted), &data_);
    if (!status.ok()) throw std::bad_alloc();
    capacity_ = wanted;
  }
  return reinterpret_cast<char*>(data_) + size_;
}

}  // namespace sluice::tables
