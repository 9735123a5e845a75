#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::tables {

// Bytes that grow without being cleared.
class GrowingBytes {
 public:
  GrowingBytes() = default;
  ~GrowingBytes();
  GrowingBytes(GrowingBytes&& other) noexcept;
  GrowingBytes& operator=(GrowingBytes&& other) noexcept;

  // Room for so many behind the end, which Advance then moves.
  char* Reserve(size_t bytes);
  void Advance(size_t bytes) { size_ += bytes; }
  void Clear() { size_ = 0; }  // its memory is kept
  const char* data() const { return reinterpret_cast<const char*>(data_); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  template <typename T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace sluice::tables
