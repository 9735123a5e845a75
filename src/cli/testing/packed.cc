#include "cli/testing/packed.h"

#include <bzlib.h>
#include <lzma.h>
#include <minizip/zip.h>
#include <zstd.h>

#include <filesystem>

namespace sluice::cli::testing {

std::optional<std::string> ZstdOf(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  out.resize(size);
  return out;
}

std::optional<std::string> Bzip2Of(const std::string& bytes) {
  std::string out(bytes.size() + bytes.size() / 100 + 600, '\0');
  auto size = static_cast<unsigned>(out.size());
  const int code =
      BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()), 1, 0, 0);
  if (code != BZ_OK) return std::nullopt;
  out.resize(size);
  return out;
}

std::optional<std::string> XzOf(const std::string& bytes) {
  std::string out(lzma_stream_buffer_bound(bytes.size()), '\0');
  size_t size = 0;
  const lzma_ret code = lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                                reinterpret_cast<uint8_t*>(out.data()), &size, out.size());
  if (code != LZMA_OK) return std::nullopt;
  out.resize(size);
  return out;
}

bool AddToZip(const std::string& path, const std::string& member, const std::string& bytes) {
  const zipFile zip = zipOpen64(path.c_str(), std::filesystem::exists(path) ? APPEND_STATUS_ADDINZIP : APPEND_STATUS_CREATE);
  if (zip == nullptr) return false;
  const zip_fileinfo info = {};
  bool good = zipOpenNewFileInZip(zip, member.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED, 6) == ZIP_OK;
  good = good && zipWriteInFileInZip(zip, bytes.data(), static_cast<unsigned>(bytes.size())) == ZIP_OK && zipCloseFileInZip(zip) == ZIP_OK;
  return zipClose(zip, nullptr) == ZIP_OK && good;
}

}  // namespace sluice::cli::testing
