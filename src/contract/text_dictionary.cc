#include "contract/text_dictionary.h"

#include <arrow/array/array_binary.h>
#include <arrow/buffer.h>

#include <cstring>
#include <new>

#include "core/same_text.h"

namespace sluice::contract {
namespace {

constexpr size_t kMaxText = 255;  // a longer text is none of a few

template <typename T>
uint64_t Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Eight bytes at a time, the last ones overlapping.
uint64_t HashOf(std::string_view text) {
  constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xd6e8feb86659fd93;
  const char* at = text.data();
  const size_t size = text.size();
  uint64_t hash = size * kA;
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) hash = Mix(hash ^ Load<uint64_t>(at + i), kB);
    return Mix(hash ^ Load<uint64_t>(at + size - 8), kA);
  }
  if (size >= 4) return Mix(hash ^ (Load<uint32_t>(at) << 32 | Load<uint32_t>(at + size - 4)), kA);
  if (size > 0) hash ^= Load<uint8_t>(at) << 16 | Load<uint8_t>(at + size / 2) << 8 | Load<uint8_t>(at + size - 1);
  return Mix(hash, kA);
}

std::shared_ptr<arrow::Buffer> Allocate(int64_t bytes) {
  auto buffer = arrow::AllocateBuffer(bytes);
  if (!buffer.ok()) throw std::bad_alloc();
  return *std::move(buffer);
}

}  // namespace

TextDictionary::TextDictionary()
    : offsets_(Allocate((kMaxTexts + 1) * sizeof(int32_t))),
      bytes_(Allocate(kMaxBytes)),
      slots_(std::make_unique<std::atomic<uint32_t>[]>(kSlots)) {
  reinterpret_cast<int32_t*>(offsets_->mutable_data())[0] = 0;
}

TextDictionary::~TextDictionary() = default;

std::string_view TextDictionary::TextAt(size_t place) const {
  const auto* offsets = reinterpret_cast<const int32_t*>(offsets_->data());
  return {reinterpret_cast<const char*>(bytes_->data()) + offsets[place], static_cast<size_t>(offsets[place + 1] - offsets[place])};
}

std::atomic<uint32_t>& TextDictionary::SlotOf(std::string_view text, uint64_t hash) const {
  for (size_t at = hash % kSlots;; at = (at + 1) % kSlots) {
    const uint32_t found = slots_[at].load(std::memory_order_acquire);
    if (found == 0 || SameText(TextAt(found - 1), text)) return slots_[at];
  }
}

int32_t TextDictionary::FindOne(std::string_view text) {
  if (text.size() > kMaxText) return -1;
  const uint64_t hash = HashOf(text);
  const uint32_t found = SlotOf(text, hash).load(std::memory_order_acquire);
  return found != 0 ? static_cast<int32_t>(found - 1) : Add(text, hash);
}

int32_t TextDictionary::Add(std::string_view text, uint64_t hash) {
  const std::lock_guard lock(adding_);
  std::atomic<uint32_t>& slot = SlotOf(text, hash);
  if (const uint32_t found = slot.load(std::memory_order_relaxed); found != 0) return static_cast<int32_t>(found - 1);
  const uint32_t place = count_.load(std::memory_order_relaxed);
  auto* offsets = reinterpret_cast<int32_t*>(offsets_->mutable_data());
  const auto begin = static_cast<size_t>(offsets[place]);
  if (place == kMaxTexts || begin + text.size() > kMaxBytes) return -1;
  if (!text.empty()) std::memcpy(bytes_->mutable_data() + begin, text.data(), text.size());
  offsets[place + 1] = static_cast<int32_t>(begin + text.size());
  count_.store(place + 1, std::memory_order_release);
  slot.store(place + 1, std::memory_order_release);
  return static_cast<int32_t>(place);
}

bool TextDictionary::Find(std::span<const std::string_view> fields, int32_t* places) {
  if (full_) return false;
  for (size_t row = 0; row < fields.size(); ++row) {
    const std::string_view text = fields[row];
    places[row] = text.data() == nullptr ? -1 : FindOne(text);
    if (places[row] >= 0 || text.data() == nullptr) continue;
    full_ = true;
    return false;
  }
  return true;
}

std::shared_ptr<arrow::Array> TextDictionary::Texts() const {
  return std::make_shared<arrow::StringArray>(count_.load(std::memory_order_acquire), offsets_, bytes_);
}

}  // namespace sluice::contract
