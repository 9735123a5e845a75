#include <bzlib.h>

#include <algorithm>

#include "formats/decoded_bytes.h"

namespace sluice::formats {
namespace {

class Bzip2Decoder : public DecodedBytes {
 public:
  using DecodedBytes::DecodedBytes;
  ~Bzip2Decoder() override { BZ2_bzDecompressEnd(&stream_); }

 private:
  // Streams follow one another, as parallel compressors write them; each has its own checksum.
  Status Decode(char* buffer, size_t capacity, size_t* given) override {
    if (between_streams_) return NextStream();
    if (unread().empty()) return Fail(Truncated());
    stream_.next_in = const_cast<char*>(unread().data());
    stream_.avail_in = static_cast<unsigned>(unread().size());
    stream_.next_out = buffer;
    stream_.avail_out = static_cast<unsigned>(std::min<size_t>(capacity, 1u << 30));
    const unsigned room = stream_.avail_out;
    const int code = BZ2_bzDecompress(&stream_);
    Consume(unread().size() - stream_.avail_in);
    *given = room - stream_.avail_out;
    if (code == BZ_STREAM_END)
      between_streams_ = true;
    else if (code == BZ_MEM_ERROR)
      return Fail(OutOfMemory());
    else if (code != BZ_OK)
      return Fail(Corrupt(code == BZ_DATA_ERROR_MAGIC ? "no bzip2 data" : "a checksum is wrong"));
    return Ok();
  }

  Status NextStream() {
    if (unread().empty()) {
      if (!input_ended()) return Ok();
      if (streams_ == 0) return Fail(Truncated());
      finished_ = true;
      return Ok();
    }
    if (streams_ > 0 && unread().front() != 'B') return Fail(Corrupt("bytes follow the end of the bzip2 data"));
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) return Fail(OutOfMemory());  // its parameters are good
    ++streams_;
    between_streams_ = false;
    return Ok();
  }

  bz_stream stream_ = {};
  int64_t streams_ = 0;
  bool between_streams_ = true;
};

}  // namespace

std::unique_ptr<ByteSource> Bzip2Bytes(std::unique_ptr<ByteSource> source, std::string name) {
  return std::make_unique<Bzip2Decoder>(std::move(source), std::move(name));
}

}  // namespace sluice::formats
