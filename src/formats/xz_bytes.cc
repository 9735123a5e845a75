#include <lzma.h>

#include "core/text.h"
#include "formats/decoded_bytes.h"

namespace sluice::formats {
namespace {

constexpr uint64_t kMaxMemory = 160 << 20;  // dictionaries of up to 128 MiB: twice what `xz -9` takes

class XzDecoder : public DecodedBytes {
 public:
  using DecodedBytes::DecodedBytes;
  ~XzDecoder() override { lzma_end(&stream_); }

 private:
  Status Decode(char* buffer, size_t capacity, size_t* given) override {
    if (!started_) {
      if (lzma_stream_decoder(&stream_, kMaxMemory, LZMA_CONCATENATED) != LZMA_OK) return Fail(OutOfMemory());  // its parameters are good
      started_ = true;
    }
    if (unread().empty() && !input_ended()) return Ok();
    stream_.next_in = reinterpret_cast<const uint8_t*>(unread().data());
    stream_.avail_in = unread().size();
    stream_.next_out = reinterpret_cast<uint8_t*>(buffer);
    stream_.avail_out = capacity;
    const lzma_ret code = lzma_code(&stream_, input_ended() ? LZMA_FINISH : LZMA_RUN);
    Consume(unread().size() - stream_.avail_in);
    *given = capacity - stream_.avail_out;
    if (code == LZMA_STREAM_END) finished_ = true;
    if (code == LZMA_OK || code == LZMA_STREAM_END) return Ok();
    if (code == LZMA_BUF_ERROR) return input_ended() && *given == 0 ? Status(Fail(Truncated())) : Ok();
    if (code == LZMA_MEM_ERROR) return Fail(OutOfMemory());
    if (code == LZMA_MEMLIMIT_ERROR) return Fail(TooLargeDictionary());
    return Fail(Corrupt(Why(code)));
  }

  Error TooLargeDictionary() const {
    return UnsupportedError("unsupported-compression",
                            fmt::format("{} is an xz file whose dictionary needs {} of memory, more than {}", name(),
                                        FormatBytes(static_cast<int64_t>(lzma_memusage(&stream_))), FormatBytes(kMaxMemory)))
        .Hint("have it packed with a smaller dictionary: xz -9 or less");
  }

  static std::string Why(lzma_ret code) {
    switch (code) {
      case LZMA_FORMAT_ERROR:
        return "no xz data";
      case LZMA_OPTIONS_ERROR:
        return "it uses filters that are not known";
      default:
        return "a checksum is wrong, or its blocks are";
    }
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> XzBytes(std::unique_ptr<ByteSource> source, std::string name) {
  return std::make_unique<XzDecoder>(std::move(source), std::move(name));
}

}  // namespace sluice::formats
