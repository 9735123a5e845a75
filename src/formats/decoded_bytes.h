#pragma once
// What the decompressors share, and those of their own files.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "formats/reader.h"

namespace sluice::formats {

inline constexpr size_t kInputBytes = 256 << 10;  // compressed bytes handed to a decoder at once

// What decoders share: input in pieces, and the promise that the bytes before a break are given before its error.
class DecodedBytes : public ByteSource {
 public:
  DecodedBytes(std::unique_ptr<ByteSource> source, std::string name)
      : source_(std::move(source)), name_(std::move(name)), input_(kInputBytes, '\0') {}

  Result<size_t> Read(char* buffer, size_t capacity) override {
    size_t given = 0;
    while (given == 0 && capacity > 0 && !broken_ && !finished_) {
      if (Status filled = Fill(); !filled) {
        broken_ = std::move(filled).error();
        break;
      }
      if (Status decoded = Decode(buffer, capacity, &given); !decoded) broken_ = std::move(decoded).error();
    }
    if (given == 0 && broken_) return Fail(*broken_);
    return given;
  }

 protected:
  // Consumes from unread() and adds to *given what it wrote to `buffer`. Sets finished_ at the end of the archive.
  virtual Status Decode(char* buffer, size_t capacity, size_t* given) = 0;

  std::string_view unread() const { return {input_.data() + begin_, end_ - begin_}; }
  void Consume(size_t n) { begin_ += n; }
  bool input_ended() const { return ended_; }
  const std::string& name() const { return name_; }

  Error Corrupt(std::string_view why) const {
    return DataError("corrupt-archive", fmt::format("{} is corrupt: {}", name_, why))
        .Hint("ask for the file again; a plain file with this name can be read with `compression: none`");
  }
  Error OutOfMemory() const { return RetryableError("out-of-memory", fmt::format("not enough memory to unpack {}", name_)); }
  Error Truncated() const {
    return DataError("truncated-archive", fmt::format("{} ends in the middle of its compressed data", name_))
        .Hint("the upload was probably cut off: ask for the file again");
  }

  bool finished_ = false;

 private:
  Status Fill() {
    if (begin_ < end_ || ended_) return Ok();
    SLUICE_TRY(const size_t n, source_->Read(input_.data(), input_.size()));
    begin_ = 0;
    end_ = n;
    ended_ = n == 0;
    return Ok();
  }

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string input_;
  size_t begin_ = 0, end_ = 0;
  bool ended_ = false;
  std::optional<Error> broken_;
};

std::unique_ptr<ByteSource> Bzip2Bytes(std::unique_ptr<ByteSource> source, std::string name);  // any number of streams
std::unique_ptr<ByteSource> XzBytes(std::unique_ptr<ByteSource> source, std::string name);     // any number of streams

}  // namespace sluice::formats
