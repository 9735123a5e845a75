#include "tables/spill.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace sluice::tables {
namespace {

Error ScratchError(std::string_view what, const std::string& why) {
  return RetryableError("scratch", fmt::format("cannot {} the scratch file: {}", what, why)).Hint("is the disk full?");
}
Error ErrnoError(std::string_view what) { return ScratchError(what, std::strerror(errno)); }

class IpcSpillFile : public SpillFile {
 public:
  IpcSpillFile(int fd, std::shared_ptr<arrow::Schema> schema) : fd_(fd), schema_(std::move(schema)) {}
  ~IpcSpillFile() override { close(fd_); }

  Result<Chunk> Append(const arrow::RecordBatch& batch) override {
    const auto message = arrow::ipc::SerializeRecordBatch(batch, arrow::ipc::IpcWriteOptions::Defaults());
    if (!message.ok()) return Fail(ScratchError("write", message.status().ToString()));
    SLUICE_TRY(Chunk chunk, AppendBytes({reinterpret_cast<const char*>((*message)->data()), static_cast<size_t>((*message)->size())}));
    chunk.rows = batch.num_rows();
    return chunk;
  }

  Result<Chunk> AppendBytes(std::string_view bytes) override {
    const auto size = static_cast<int64_t>(bytes.size());
    const Chunk chunk{end_.fetch_add(size), size, 0};
    for (int64_t done = 0; done < size;) {
      const ssize_t n = pwrite(fd_, bytes.data() + done, static_cast<size_t>(size - done), chunk.offset + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return Fail(ErrnoError("write"));
      done += n;
    }
    return chunk;
  }

  Status ReadBytes(const Chunk& chunk, char* out) override {
    for (int64_t done = 0; done < chunk.bytes;) {
      const ssize_t n = pread(fd_, out + done, static_cast<size_t>(chunk.bytes - done), chunk.offset + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return Fail(ErrnoError("read"));
      done += n;
    }
    return Ok();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Read(const Chunk& chunk) override {
    auto buffer = arrow::AllocateBuffer(chunk.bytes);
    if (!buffer.ok()) return Fail(ScratchError("read", buffer.status().ToString()));
    SLUICE_CHECK(ReadBytes(chunk, reinterpret_cast<char*>((*buffer)->mutable_data())));
    arrow::io::BufferReader reader(std::shared_ptr<arrow::Buffer>(*std::move(buffer)));
    arrow::ipc::DictionaryMemo no_dictionaries;
    auto batch = arrow::ipc::ReadRecordBatch(schema_, &no_dictionaries, arrow::ipc::IpcReadOptions::Defaults(), &reader);
    if (!batch.ok()) return Fail(ScratchError("read", batch.status().ToString()));
    return *std::move(batch);
  }

 private:
  int fd_;
  std::shared_ptr<arrow::Schema> schema_;
  std::atomic<int64_t> end_ = 0;
};

int OpenNameless(const std::string& dir) {
  const int fd = open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  std::string path = dir + "/sluice-spill-XXXXXX";
  const int named = mkostemp(path.data(), O_CLOEXEC);
  if (named >= 0) unlink(path.c_str());
  return named;
}

}  // namespace

Result<std::unique_ptr<SpillFile>> SpillFile::Open(const std::string& dir, std::shared_ptr<arrow::Schema> schema) {
  const int fd = OpenNameless(dir);
  if (fd < 0) return Fail(ErrnoError("make"));
  return std::make_unique<IpcSpillFile>(fd, std::move(schema));
}

}  // namespace sluice::tables
