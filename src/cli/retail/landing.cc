#include "cli/retail/landing.h"

#include <fmt/format.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "core/text.h"

namespace sluice::cli::retail {
namespace {

void AppendCsvField(std::string_view text, char delimiter, std::string* out) {
  const bool quote = text.find_first_of("\"\r\n") != std::string_view::npos || text.find(delimiter) != std::string_view::npos;
  if (!quote) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

Result<std::string> Gzip(const std::string& bytes) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;  // zlib.h: 16 more asks for a gzip header
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return Fail(BugError("deflateInit2"));
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) return Fail(BugError("deflate did not finish"));
  return out;
}

}  // namespace

Status WriteTextFile(const std::string& target, const std::string& bytes) {
  const std::filesystem::path path(target);
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return Fail(RetryableError("cannot-write", "cannot write " + path.string()).Hint("is the folder writable, the disk full?"));
  return Ok();
}

RecordFile::RecordFile(std::string path, int delivery, Dialect dialect, std::span<const std::string> columns)
    : path_(std::move(path)), delivery_(delivery), dialect_(dialect), columns_(columns) {
  if (dialect_.bom) bytes_ = "\xEF\xBB\xBF";
  if (dialect_.format != Dialect::Format::kCsv) return;
  bytes_ += Render(columns) + (dialect_.crlf ? "\r\n" : "\n");
  ++line_;
}

std::string RecordFile::Render(std::span<const std::string> fields) const {
  std::string text;
  const bool json = dialect_.format == Dialect::Format::kNdjson;
  if (json) text.push_back('{');
  bool first = true;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (json && fields[i].empty()) continue;
    if (!first) text.push_back(json ? ',' : dialect_.delimiter);
    first = false;
    if (json) {
      text.append("\"").append(columns_[i]).append("\":").append(fields[i]);
    } else {
      AppendCsvField(fields[i], dialect_.delimiter, &text);
    }
  }
  if (json) text.push_back('}');
  return text;
}

Place RecordFile::Add(std::span<const std::string> fields) {
  const std::string text = Render(fields);
  const Place place{++rows_, line_};
  bytes_.append(text).append(dialect_.crlf ? "\r\n" : "\n");
  line_ += 1 + std::count(text.begin(), text.end(), '\n');
  return place;
}

Place RecordFile::AddRaw(std::string_view text) {
  bytes_.append(text).append(dialect_.crlf ? "\r\n" : "\n");
  return {++rows_, line_++};
}

RecordFile& Landing::Open(const std::string& path, int delivery, Dialect dialect, std::span<const std::string> columns) {
  std::unique_ptr<RecordFile>& file = files_[{delivery, path}];
  if (!file) file = std::make_unique<RecordFile>(path, delivery, dialect, columns);
  return *file;
}

Status Landing::Write(const std::string& out_dir) const {
  std::map<std::string, const RecordFile*> due;  // a later delivery's file takes the place of an earlier one's
  for (const auto& [key, file] : files_) {
    if (calendar_.Writes(key.first)) due[key.second] = file.get();
  }
  for (const auto& [path, file] : due) {
    const bool gzip = path.ends_with(".gz");
    SLUICE_TRY(const std::string bytes, gzip ? Gzip(file->bytes()) : Result<std::string>(file->bytes()));
    SLUICE_CHECK(WriteTextFile(fmt::format("{}/{}", out_dir, path), bytes));
  }
  return Ok();
}

}  // namespace sluice::cli::retail
