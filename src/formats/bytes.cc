#include "formats/bytes.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/text.h"
#include "formats/content_hash.h"
#include "formats/decoded_bytes.h"
#include "formats/zip_archive.h"

namespace sluice::formats {
namespace {

constexpr int64_t kFirstRange = 256 << 10;  // the first request to the store: often only a sample is wanted
constexpr size_t kMaxZstdWindowLog = 27;

// An object of a store, in ranges. Notices when it was replaced or grew while it was read: rows of two different files in one
// batch could never be told apart later.
class ObjectBytes : public ByteSource {
 public:
  ObjectBytes(store::ObjectStore& store, store::ObjectMeta meta, std::string* content_hash)
      : store_(store), meta_(std::move(meta)), content_hash_(content_hash) {
    if (content_hash_ != nullptr) hash_.emplace();
  }

  Result<size_t> Read(char* buffer, size_t capacity) override {
    if (capacity == 0 || done_) return size_t{0};
    if (at_ == range_.size()) {
      if (static_cast<int64_t>(capacity) >= store_.range_bytes()) return ReadInto(buffer, capacity);
      SLUICE_CHECK(NextRange());
      if (range_.empty()) return Finish();
    }
    const size_t n = std::min(capacity, range_.size() - at_);
    std::memcpy(buffer, range_.data() + at_, n);
    at_ += n;
    return n;
  }

  std::optional<int64_t> size_left() const override { return meta_.size - offset_ + static_cast<int64_t>(range_.size() - at_); }

 private:
  Status NextRange() {
    const int64_t length = std::min(offset_ == 0 ? kFirstRange : store_.range_bytes(), meta_.size - offset_);
    range_.clear();
    at_ = 0;
    if (length <= 0) return Ok();
    SLUICE_TRY(range_, store_.GetRange(meta_.key, offset_, length));
    if (static_cast<int64_t>(range_.size()) < length) return Fail(Changed());
    Passed(range_);
    return Ok();
  }
  Result<size_t> ReadInto(char* buffer, size_t capacity) {
    const size_t length = std::min(capacity, static_cast<size_t>(meta_.size - offset_));
    if (length == 0) return Finish();
    SLUICE_TRY(const size_t read, store_.ReadRange(meta_.key, offset_, {buffer, length}));
    if (read < length) return Fail(Changed());
    Passed({buffer, length});
    return length;
  }
  void Passed(std::string_view bytes) {
    if (hash_) hash_->Add(bytes);
    offset_ += static_cast<int64_t>(bytes.size());
  }

  Result<size_t> Finish() {
    SLUICE_CHECK(CheckUnchanged(store_, meta_));
    if (hash_) *content_hash_ = hash_->Text();
    done_ = true;
    return size_t{0};
  }

  Error Changed() const {
    return RetryableError("file-changed-while-read", fmt::format("{} changed while it was being read", store_.Uri(meta_.key)))
        .Hint("let the writer finish: write under a temporary name (.tmp, .part) and rename");
  }

  store::ObjectStore& store_;
  store::ObjectMeta meta_;
  std::string* content_hash_;
  std::optional<ContentHash> hash_;
  std::string range_;
  size_t at_ = 0;
  int64_t offset_ = 0;
  bool done_ = false;
};

class MemoryBytes : public ByteSource {
 public:
  explicit MemoryBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<size_t> Read(char* buffer, size_t capacity) override {
    const size_t n = std::min(capacity, bytes_.size() - at_);
    std::memcpy(buffer, bytes_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

class GzipBytes : public DecodedBytes {
 public:
  using DecodedBytes::DecodedBytes;
  ~GzipBytes() override { inflateEnd(&stream_); }

 private:
  // RFC 1952 section 2.2: a file is a series of members, read as if their contents stood in one. Zeros after the last are padding,
  // as tapes and some uploaders leave them.
  Status Decode(char* buffer, size_t capacity, size_t* given) override {
    if (between_members_) return NextMember();
    if (unread().empty()) return Fail(Truncated());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(unread().data()));
    stream_.avail_in = static_cast<uInt>(unread().size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(capacity, 1u << 30));
    const uInt room = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    Consume(unread().size() - stream_.avail_in);
    *given = room - stream_.avail_out;
    if (code == Z_STREAM_END)
      between_members_ = true;
    else if (code == Z_MEM_ERROR)
      return Fail(OutOfMemory());
    else if (code != Z_OK && code != Z_BUF_ERROR)
      return Fail(Corrupt(stream_.msg ? stream_.msg : "no gzip data"));
    return Ok();
  }

  Status NextMember() {
    const size_t zeros = members_ == 0 ? 0 : std::min(unread().find_first_not_of('\0'), unread().size());
    if (zeros > 0) padding_ = true;
    Consume(zeros);
    if (unread().empty()) {
      if (!input_ended()) return Ok();
      if (members_ == 0) return Fail(Truncated());
      finished_ = true;
      return Ok();
    }
    if (padding_ || (members_ > 0 && unread().front() != '\x1f')) return Fail(Corrupt("bytes follow the end of the gzip data"));
    return BeginMember();
  }

  Status BeginMember() {
    inflateEnd(&stream_);
    stream_ = {};
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) return Fail(OutOfMemory());  // its parameters are good
    ++members_;
    between_members_ = false;
    return Ok();
  }

  z_stream stream_ = {};
  int64_t members_ = 0;
  bool between_members_ = true, padding_ = false;
};

class ZstdBytes : public DecodedBytes {
 public:
  ZstdBytes(std::unique_ptr<ByteSource> source, std::string name)
      : DecodedBytes(std::move(source), std::move(name)), context_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxZstdWindowLog);
  }
  ~ZstdBytes() override { ZSTD_freeDCtx(context_); }

 private:
  // RFC 8878 section 3: frames follow one another; ZSTD_decompressStream starts the next by itself.
  Status Decode(char* buffer, size_t capacity, size_t* given) override {
    if (unread().empty() && input_ended() && wanted_ == 0) {
      finished_ = true;
      return Ok();
    }
    ZSTD_inBuffer in = {unread().data(), unread().size(), 0};
    ZSTD_outBuffer out = {buffer, capacity, 0};
    const size_t wanted = ZSTD_decompressStream(context_, &out, &in);
    Consume(in.pos);
    *given = out.pos;
    if (ZSTD_getErrorCode(wanted) == ZSTD_error_memory_allocation) return Fail(OutOfMemory());
    if (ZSTD_isError(wanted)) return Fail(Corrupt(ZSTD_getErrorName(wanted)));
    wanted_ = wanted;
    if (input_ended() && unread().empty() && out.pos == 0 && wanted_ != 0) return Fail(Truncated());
    return Ok();
  }

  ZSTD_DCtx* context_;
  size_t wanted_ = 1;  // 0: exactly between two frames. 1 at first: an archive without a frame is a truncated one
};

bool HasGzipMagic(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

bool HasZstdMagic(std::string_view bytes) {
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return true;
  return bytes.size() >= 4 && (static_cast<unsigned char>(bytes[0]) & 0xf0) == 0x50 && bytes.substr(1, 3) == "\x2a\x4d\x18";
}

// "BZh9" may begin a text: a block's or the end's mark must follow.
bool HasBzip2Magic(std::string_view bytes) {
  if (bytes.size() < 10 || !bytes.starts_with("BZh") || bytes[3] < '1' || bytes[3] > '9') return false;
  return bytes.substr(4, 6) == "\x31\x41\x59\x26\x53\x59" || bytes.substr(4, 6) == "\x17\x72\x45\x38\x50\x90";
}

bool HasXzMagic(std::string_view bytes) { return bytes.starts_with(std::string_view("\xfd\x37\x7a\x58\x5a\x00", 6)); }

bool HasZipMagic(std::string_view bytes) {
  return bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06") || bytes.starts_with("PK\x07\x08");
}

struct Kind {
  Compression compression;
  const char* name;
  bool (*has_magic)(std::string_view);
  std::vector<std::string_view> endings;
};

// Every kind of compression, with all that tells it.
const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {{Compression::kGzip, "gzip", HasGzipMagic, {".gz", ".gzip"}},
                                          {Compression::kZstd, "zstd", HasZstdMagic, {".zst", ".zstd"}},
                                          {Compression::kBzip2, "bzip2", HasBzip2Magic, {".bz2", ".bzip2"}},
                                          {Compression::kXz, "xz", HasXzMagic, {".xz"}},
                                          {Compression::kZip, "zip", HasZipMagic, {".zip"}}};
  return kinds;
}

}  // namespace

Compression DetectCompression(std::string_view file_name, std::string_view first_bytes) {
  for (const Kind& kind : Kinds())
    if (kind.has_magic(first_bytes)) return kind.compression;
  return CompressionOfEnding(file_name).first;
}

std::pair<Compression, size_t> CompressionOfEnding(std::string_view file_name) {
  const std::string name = ToLower(file_name);
  for (const Kind& kind : Kinds())
    for (const std::string_view ending : kind.endings)
      if (name.ends_with(ending)) return {kind.compression, ending.size()};
  return {Compression::kNone, 0};
}

std::unique_ptr<ByteSource> BytesOf(std::string bytes) { return std::make_unique<MemoryBytes>(std::move(bytes)); }

std::unique_ptr<ByteSource> Decompress(std::unique_ptr<ByteSource> source, Compression compression, std::string name) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<GzipBytes>(std::move(source), std::move(name));
    case Compression::kZstd:
      return std::make_unique<ZstdBytes>(std::move(source), std::move(name));
    case Compression::kBzip2:
      return Bzip2Bytes(std::move(source), std::move(name));
    case Compression::kXz:
      return XzBytes(std::move(source), std::move(name));
    case Compression::kZip:  // its members are opened by themselves
    case Compression::kNone:
      break;
  }
  return source;
}

Result<std::unique_ptr<ByteSource>> OpenBytes(const ReadRequest& request) {
  store::ObjectStore& store = *request.store;
  SLUICE_TRY(store::ObjectMeta meta, ObjectOf(request));
  if (request.member) {
    SLUICE_TRY(auto bytes, OpenMember(store, meta, request.member));
    return Decompress(std::move(bytes), request.compression, NameOf(request));
  }
  return Decompress(std::make_unique<ObjectBytes>(store, std::move(meta), request.content_hash), request.compression, NameOf(request));
}

Result<Sample> ReadSample(const ReadRequest& request, size_t limit) {
  SLUICE_TRY(const auto source, OpenBytes(request));
  Sample sample;
  size_t have = 0;
  while (have < limit) {
    if (have == sample.bytes.size()) sample.bytes.resize(std::min(limit, std::max<size_t>(2 * have, 16 << 10)));
    Result<size_t> n = source->Read(sample.bytes.data() + have, sample.bytes.size() - have);
    if (!n && have == 0) return Fail(std::move(n).error());
    if (!n || *n == 0) {
      sample.whole = n.has_value();
      break;
    }
    have += *n;
  }
  sample.bytes.resize(have);
  return sample;
}

Result<ObjectFront> ReadFront(store::ObjectStore& store, const store::ObjectMeta& object, std::optional<Compression> compression,
                              size_t limit) {
  ObjectFront front;
  SLUICE_TRY(front.sample.bytes, store.GetRange(object.key, 0, static_cast<int64_t>(limit)));
  front.compression = compression ? *compression : DetectCompression(object.key, front.sample.bytes);
  front.sample.whole = front.sample.bytes.size() < limit || object.size == static_cast<int64_t>(limit);
  if (front.compression == Compression::kNone || front.compression == Compression::kZip) return front;
  ReadRequest request;
  request.store = &store;
  request.key = object.key;
  request.compression = front.compression;
  SLUICE_TRY(front.sample, ReadSample(request, limit));
  return front;
}

std::vector<std::string> CompressionNames() {
  std::vector<std::string> names;
  for (const Kind& kind : Kinds()) names.emplace_back(kind.name);
  return names;
}

std::string_view ToString(Compression compression) {
  for (const Kind& kind : Kinds())
    if (kind.compression == compression) return kind.name;
  return "none";
}

Compression CompressionNamed(std::string_view name) {
  for (const Kind& kind : Kinds())
    if (name == kind.name) return kind.compression;
  return Compression::kNone;
}

}  // namespace sluice::formats
