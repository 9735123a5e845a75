#pragma once
// The distinct texts of a column that has few of them: its values are then kept as places in it, checked once a text and not once a row.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

namespace arrow {
class Array;
class Buffer;
}  // namespace arrow

namespace sluice::contract {

// Thread-safe. Texts only come; they never move: Texts() of one moment is the beginning of Texts() of any later one, in the same memory.
class TextDictionary {
 public:
  static constexpr size_t kMaxTexts = 4096, kMaxBytes = size_t{256} << 10;

  TextDictionary();
  ~TextDictionary();
  TextDictionary(const TextDictionary&) = delete;
  TextDictionary& operator=(const TextDictionary&) = delete;

  // The place of each field's text in Texts(); -1 for NULL (a null data()). False if they do not fit any more: the column has too many
  // different texts, and no further call succeeds.
  bool Find(std::span<const std::string_view> fields, int32_t* places);
  // All so far, a string array. Has the places that any Find before it gave.
  std::shared_ptr<arrow::Array> Texts() const;

 private:
  int32_t FindOne(std::string_view text);
  int32_t Add(std::string_view text, uint64_t hash);
  // The slot of the text: one that holds it, or the empty one where it belongs.
  std::atomic<uint32_t>& SlotOf(std::string_view text, uint64_t hash) const;
  std::string_view TextAt(size_t place) const;

  static constexpr size_t kSlots = 4 * kMaxTexts;
  std::shared_ptr<arrow::Buffer> offsets_, bytes_;  // of as many as there may be
  std::unique_ptr<std::atomic<uint32_t>[]> slots_;  // place + 1; 0: empty
  std::atomic<uint32_t> count_ = 0;
  std::atomic<bool> full_ = false;
  std::mutex adding_;
};

}  // namespace sluice::contract
