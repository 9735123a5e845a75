#include "formats/avro.h"

#include <arrow/api.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/profile.h"
#include "formats/avro_values.h"
#include "formats/bytes.h"
#include "formats/typed_rows.h"

namespace sluice::formats {
namespace {

constexpr int64_t kMaxHeader = 16 << 20;
constexpr size_t kSync = 16;

// Numbers and byte strings from a stream.
class Input {
 public:
  explicit Input(std::unique_ptr<ByteSource> source) : source_(std::move(source)), buffer_(256 << 10, '\0') {}

  Result<bool> AtEnd() {
    if (at_ < end_) return false;
    const StageTimer timer(Stage::kRead);
    SLUICE_TRY(end_, source_->Read(buffer_.data(), buffer_.size()));
    at_ = 0;
    return end_ == 0;
  }
  // nullopt: the stream ends within it.
  Result<std::optional<int64_t>> Long() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      SLUICE_TRY(const bool end, AtEnd());
      if (end) return std::optional<int64_t>();
      const auto byte = static_cast<uint8_t>(buffer_[at_++]);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return std::optional(static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1));
    }
    return std::optional<int64_t>(-1);
  }
  // Grows with what is there: a length may be a lie.
  Result<std::optional<std::string>> Bytes(int64_t length) {
    std::string bytes;
    while (static_cast<int64_t>(bytes.size()) < length) {
      SLUICE_TRY(const bool end, AtEnd());
      if (end) return std::optional<std::string>();
      const size_t n = std::min(end_ - at_, static_cast<size_t>(length) - bytes.size());
      bytes.append(buffer_, at_, n);
      at_ += n;
    }
    return std::optional(std::move(bytes));
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t at_ = 0, end_ = 0;
};

struct AvroFile {
  std::string uri, codec, sync;
  AvroType record;
  int64_t max_block = 0;  // bytes of a block, packed and not

  Error Corrupt(const std::string& why) const {
    return DataError("corrupt-file", fmt::format("{} is no readable Avro file: {}", uri, why)).Hint("ask for the file again");
  }
  Error Truncated() const {
    return DataError("truncated-file", fmt::format("{} ends within an Avro block", uri))
        .Hint("the upload was probably cut off: ask for the file again");
  }
  Error Named(Error error) const {
    if (error.code == "corrupt-file") return Corrupt(error.message);
    if (error.code == "unsupported-avro") error.message = fmt::format("{}: {}", uri, error.message);
    return error;
  }
};

// One map of a file's head: name → value.
Result<std::map<std::string, std::string>> ReadMetadata(Input& input, const AvroFile& file) {
  std::map<std::string, std::string> metadata;
  int64_t room = kMaxHeader;
  const auto text = [&]() -> Result<std::string> {
    SLUICE_TRY(const auto length, input.Long());
    if (!length) return Fail(file.Truncated());
    if (*length < 0 || *length > room) return Fail(file.Corrupt("its header is wrong"));
    room -= *length;
    SLUICE_TRY(auto bytes, input.Bytes(*length));
    if (!bytes) return Fail(file.Truncated());
    return *std::move(bytes);
  };
  while (true) {
    SLUICE_TRY(auto count, input.Long());
    if (!count) return Fail(file.Truncated());
    if (*count == 0) return metadata;
    if (std::abs(static_cast<double>(*count)) > kMaxHeader) return Fail(file.Corrupt("its header is wrong"));
    if (*count < 0) SLUICE_CHECK(input.Long().map([](const auto&) {}));
    for (int64_t i = std::abs(*count); i > 0; --i) {
      SLUICE_TRY(const std::string key, text());
      SLUICE_TRY(metadata[key], text());
      if (metadata.size() > 1000) return Fail(file.Corrupt("its header is wrong"));
    }
  }
}

bool IsKnownCodec(const std::string& codec) {
  static constexpr const char* kKnown[] = {"null", "deflate", "snappy", "zstandard", "bzip2", "xz"};
  return std::any_of(std::begin(kKnown), std::end(kKnown), [&](const char* known) { return codec == known; });
}

Result<AvroFile> ReadHead(const ReadRequest& request, Input& input) {
  AvroFile file;
  file.uri = NameOf(request);
  file.max_block = std::max<int64_t>(4 * request.max_record_bytes, 16 << 20);
  SLUICE_TRY(const auto magic, input.Bytes(4));
  if (!magic || *magic != std::string_view("Obj\x01", 4)) return Fail(file.Corrupt("it does not begin as one"));
  SLUICE_TRY(auto metadata, ReadMetadata(input, file));
  file.codec = metadata.contains("avro.codec") ? metadata["avro.codec"] : "null";
  if (!IsKnownCodec(file.codec))
    return Fail(UnsupportedError("unsupported-avro", fmt::format("{} is packed with the codec {}", file.uri, file.codec)));
  SLUICE_TRY(auto sync, input.Bytes(kSync));
  if (!sync) return Fail(file.Truncated());
  file.sync = *std::move(sync);
  auto record = ParseAvroSchema(metadata["avro.schema"]);
  if (!record) return Fail(file.Named(std::move(record).error()));
  file.record = *std::move(record);
  return file;
}

// RFC 1951 without a head.
Result<std::string> Inflate(const std::string& packed, const AvroFile& file) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return Fail(BugError("zlib does not initialise"));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK && static_cast<int64_t>(out.size()) <= file.max_block) {
    const size_t before = out.size();
    const auto room = static_cast<size_t>(file.max_block + 1) - before;
    out.resize(before + std::min(room, std::max<size_t>(4 * packed.size(), 64 << 10)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END && code != Z_OK) return Fail(file.Corrupt("a block does not decompress"));
  return out;
}

Result<std::string> Unsnap(const std::string& packed, const AvroFile& file) {
  if (packed.size() < 4) return Fail(file.Corrupt("a block does not decompress"));
  const std::string_view body(packed.data(), packed.size() - 4);
  uint64_t length = 0;  // stands in front, in groups of seven bits
  for (size_t i = 0, shift = 0; i < std::min<size_t>(body.size(), 5); ++i, shift += 7) {
    length |= static_cast<uint64_t>(static_cast<uint8_t>(body[i]) & 0x7f) << shift;
    if ((static_cast<uint8_t>(body[i]) & 0x80) == 0) break;
  }
  if (static_cast<int64_t>(length) > file.max_block) return Fail(file.Corrupt("a block is too large"));
  std::string out(length, '\0');
  auto codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY);
  if (!codec.ok()) return Fail(UnsupportedError("unsupported-avro", codec.status().message()));
  const auto got = (*codec)->Decompress(static_cast<int64_t>(body.size()), reinterpret_cast<const uint8_t*>(body.data()),
                                        static_cast<int64_t>(out.size()), reinterpret_cast<uint8_t*>(out.data()));
  if (!got.ok() || *got != static_cast<int64_t>(out.size())) return Fail(file.Corrupt("a block does not decompress"));
  const auto* sum = reinterpret_cast<const uint8_t*>(packed.data() + body.size());
  const uLong wanted = static_cast<uLong>(sum[0]) << 24 | static_cast<uLong>(sum[1]) << 16 | static_cast<uLong>(sum[2]) << 8 | sum[3];
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != wanted)
    return Fail(file.Corrupt("the checksum of a block is wrong"));
  return out;
}

Result<std::string> Unpacked(std::string packed, const AvroFile& file) {
  if (file.codec == "null") return packed;
  if (file.codec == "deflate") return Inflate(packed, file);
  if (file.codec == "snappy") return Unsnap(packed, file);
  const Compression compression = file.codec == "zstandard" ? Compression::kZstd : CompressionNamed(file.codec);
  const auto bytes = Decompress(BytesOf(std::move(packed)), compression, file.uri);
  std::string out;
  while (static_cast<int64_t>(out.size()) <= file.max_block) {
    const size_t before = out.size();
    out.resize(before + (256 << 10));
    SLUICE_TRY(const size_t n, bytes->Read(out.data() + before, out.size() - before));
    out.resize(before + n);
    if (n == 0) break;
  }
  return out;
}

struct PackedBlock {
  int64_t count = 0;
  std::string bytes;
};

// Blocks of the file, one if they are packed: unpacked and decoded on any thread.
class AvroBlock : public RawBlock {
 public:
  AvroBlock(std::shared_ptr<const AvroFile> file, std::shared_ptr<const TypedPlan> plan, std::vector<PackedBlock> blocks, int64_t first_row)
      : file_(std::move(file)), plan_(std::move(plan)), blocks_(std::move(blocks)), first_row_(first_row) {}

  Result<DecodedBatch> Decode() override {
    AvroRows rows(file_->record);
    for (PackedBlock& block : blocks_) {
      SLUICE_TRY(const std::string bytes, Unpacked(std::move(block.bytes), *file_));
      if (static_cast<int64_t>(bytes.size()) > file_->max_block)
        return Fail(file_->Corrupt("a block is too large for the memory (--memory)"));
      if (Status appended = rows.Append(bytes, block.count); !appended) return Fail(file_->Named(std::move(appended).error()));
    }
    SLUICE_TRY(auto batch, rows.Finish());
    SLUICE_TRY(const auto typed, TypedRows(std::move(batch), plan_, first_row_));
    return typed->Decode();
  }

 private:
  std::shared_ptr<const AvroFile> file_;
  std::shared_ptr<const TypedPlan> plan_;
  std::vector<PackedBlock> blocks_;
  int64_t first_row_;
};

class AvroReader : public RecordReader {
 public:
  AvroReader(Input input, std::shared_ptr<const AvroFile> file, std::shared_ptr<const TypedPlan> plan, int64_t block_bytes)
      : input_(std::move(input)), file_(std::move(file)), plan_(std::move(plan)), block_bytes_(block_bytes) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    std::vector<PackedBlock> blocks;
    const int64_t first = row_;
    const int64_t wanted = file_->codec == "null" ? block_bytes_ : 1;  // what a packed one unpacks to is not known
    for (int64_t bytes = 0; bytes < wanted;) {
      SLUICE_TRY(const bool end, input_.AtEnd());
      if (end) break;
      SLUICE_TRY(PackedBlock block, Take());
      bytes += static_cast<int64_t>(block.bytes.size()) + static_cast<int64_t>(kSync);
      row_ += block.count;
      if (block.count > 0) blocks.push_back(std::move(block));
    }
    if (blocks.empty()) return std::unique_ptr<RawBlock>();
    return std::make_unique<AvroBlock>(file_, plan_, std::move(blocks), first);
  }

 private:
  Result<PackedBlock> Take() {
    PackedBlock block;
    SLUICE_TRY(const auto count, input_.Long());
    SLUICE_TRY(const auto size, input_.Long());
    if (!count || !size) return Fail(file_->Truncated());
    if (*count < 0 || *count > INT32_MAX || *size < 0 || (*count == 0 && *size > 0)) return Fail(file_->Corrupt("a block's size is wrong"));
    if (*size > file_->max_block) return Fail(file_->Corrupt("a block is too large for the memory (--memory)"));
    block.count = *count;
    SLUICE_TRY(auto bytes, input_.Bytes(*size));
    SLUICE_TRY(const auto sync, input_.Bytes(kSync));
    if (!bytes || !sync) return Fail(file_->Truncated());
    if (*sync != file_->sync) return Fail(file_->Corrupt("a block does not end with the file's mark"));
    block.bytes = *std::move(bytes);
    return block;
  }

  Input input_;
  std::shared_ptr<const AvroFile> file_;
  std::shared_ptr<const TypedPlan> plan_;
  int64_t block_bytes_, row_ = 1;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenAvro(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(request));
  Input input(std::move(bytes));
  SLUICE_TRY(AvroFile head, ReadHead(request, input));
  auto file = std::make_shared<const AvroFile>(std::move(head));
  SLUICE_TRY(auto plan, PlanTyped(request, file->record.names));
  return std::make_unique<AvroReader>(std::move(input), std::move(file), std::move(plan), request.block_bytes);
}

Result<std::vector<contract::Field>> NewAvroColumns(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(request));
  Input input(std::move(bytes));
  SLUICE_TRY(const AvroFile file, ReadHead(request, input));
  return NewTypedColumns(request, *arrow::schema(file.record.arrow->fields()));
}

}  // namespace sluice::formats
