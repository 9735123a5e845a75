#include "formats/zip_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::formats {
namespace {

constexpr int64_t kTailBytes = 128 << 10;  // the end of the directory lies within the last 64 KiB and a few bytes
constexpr int64_t kFirstRange = 64 << 10;
constexpr int64_t kMostBytes = 4 << 20;

ObjectWindow& WindowOf(voidpf opaque) { return *static_cast<ObjectWindow*>(opaque); }

voidpf OpenWindow(voidpf opaque, const void*, int) {
  WindowOf(opaque).Seek(0);
  return opaque;
}
uLong ReadWindow(voidpf opaque, voidpf, void* out, uLong size) { return WindowOf(opaque).Read(static_cast<char*>(out), size); }
uLong WriteNothing(voidpf, voidpf, const void*, uLong) { return 0; }
ZPOS64_T TellWindow(voidpf opaque, voidpf) { return static_cast<ZPOS64_T>(WindowOf(opaque).at()); }
long SeekWindow(voidpf opaque, voidpf, ZPOS64_T offset, int origin) {
  ObjectWindow& window = WindowOf(opaque);
  const int64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR ? window.at() : origin == ZLIB_FILEFUNC_SEEK_END ? window.size() : 0;
  return window.Seek(from + static_cast<int64_t>(offset)) ? 0 : -1;
}
int CloseWindow(voidpf, voidpf) { return 0; }
int ErrorOfWindow(voidpf opaque, voidpf) { return WindowOf(opaque).error() ? 1 : 0; }

}  // namespace

size_t ObjectWindow::Read(char* out, size_t size) {
  size_t done = 0;
  while (done < size && !error_ && at_ < meta_.size) {
    const bool in_tail = has_tail_ && at_ >= tail_at_;
    const std::string& bytes = in_tail ? tail_ : range_;
    const int64_t from = in_tail ? tail_at_ : range_at_;
    if (at_ < from || at_ >= from + static_cast<int64_t>(bytes.size())) {
      if (!Load(at_)) break;
      continue;
    }
    const auto skip = static_cast<size_t>(at_ - from);
    const size_t n = std::min(size - done, bytes.size() - skip);
    std::memcpy(out + done, bytes.data() + skip, n);
    done += n;
    at_ += static_cast<int64_t>(n);
  }
  return done;
}

bool ObjectWindow::Seek(int64_t to) {
  if (to < 0 || to > meta_.size) return false;
  at_ = to;
  return true;
}

bool ObjectWindow::Load(int64_t offset) {
  const bool tail = !has_tail_ && offset >= meta_.size - kTailBytes;
  const bool goes_on = offset == range_at_ + static_cast<int64_t>(range_.size());
  next_size_ = goes_on ? std::min(2 * std::max(next_size_, kFirstRange), kMostBytes) : kFirstRange;
  const int64_t begin = tail ? std::max<int64_t>(0, meta_.size - kTailBytes) : offset;
  const int64_t length = tail ? meta_.size - begin : std::min(next_size_, meta_.size - begin);
  auto range = store_.GetRange(meta_.key, begin, length);
  if (!range) {
    error_ = std::move(range).error();
    return false;
  }
  if (static_cast<int64_t>(range->size()) < length) {
    const Status changed = CheckUnchanged();
    error_ = changed ? RetryableError("file-changed-while-read", fmt::format("{} gave fewer bytes than it has", store_.Uri(meta_.key)))
                     : changed.error();
    return false;
  }
  (tail ? tail_ : range_) = *std::move(range);
  (tail ? tail_at_ : range_at_) = begin;
  has_tail_ |= tail;
  return true;
}

Result<std::unique_ptr<ZipFile>> ZipFile::Open(store::ObjectStore& store, const store::ObjectMeta& object) {
  std::unique_ptr<ZipFile> zip(new ZipFile(store, object, store.Uri(object.key)));
  SLUICE_CHECK(zip->FindEnd());
  if (zip->empty_) return zip;
  zlib_filefunc64_def functions = {OpenWindow, ReadWindow, WriteNothing, TellWindow, SeekWindow, CloseWindow, ErrorOfWindow, &zip->window_};
  zip->file_ = unzOpen2_64("", &functions);
  if (zip->file_ != nullptr) return zip;
  return Fail(zip->ErrorOf("its directory is not where its end says"));
}

// The end of the directory must be there to its last byte, which minizip does not ask for; nor does it know an archive without members
// (APPNOTE.TXT, section 4.3.16).
Status ZipFile::FindEnd() {
  constexpr size_t kEndBytes = 22;
  std::string tail(static_cast<size_t>(std::min<int64_t>(window_.size(), kEndBytes + UINT16_MAX)), '\0');
  window_.Seek(window_.size() - static_cast<int64_t>(tail.size()));
  if (window_.Read(tail.data(), tail.size()) < tail.size() && window_.error()) return Fail(*window_.error());
  const size_t at = tail.rfind("PK\x05\x06");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(tail[at + i])); };
  if (at == std::string::npos || at + kEndBytes > tail.size() || at + kEndBytes + byte(20) + 256 * byte(21) > tail.size())
    return Fail(DataError("truncated-archive", fmt::format("{} has no zip directory at its end", uri_))
                    .Hint("the upload was probably cut off: ask for the file again"));
  const auto number = [&](size_t i) { return byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24; };
  const uint64_t end = static_cast<uint64_t>(window_.size()) - tail.size() + at, directory = uint64_t{number(12)} + number(16);
  if (directory < end) prefix_ = end - directory;
  empty_ = at == 0 && static_cast<int64_t>(tail.size()) == window_.size() && byte(10) == 0 && byte(11) == 0;
  return Ok();
}

ZipFile::~ZipFile() {
  if (file_ != nullptr) unzClose(file_);
}

Error ZipFile::ErrorOf(const std::string& why) const {
  if (window_.error()) return *window_.error();
  return DataError("corrupt-archive", fmt::format("{} is corrupt: {}", uri_, why)).Hint("ask for the file again");
}

}  // namespace sluice::formats
