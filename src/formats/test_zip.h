#pragma once
// For tests: zip archives in memory.
#include <minizip/zip.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::formats {

struct ZipPart {
  std::string path, bytes;
};

inline std::string ZipOf(const std::vector<ZipPart>& parts, bool zip64 = false) {
  const std::string path = std::filesystem::temp_directory_path() / ("sluice-zip-" + std::to_string(getpid()));
  const zipFile zip = zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
  for (const ZipPart& part : parts) {
    const zip_fileinfo info = {};
    zipOpenNewFileInZip64(zip, part.path.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED, 6, zip64);
    zipWriteInFileInZip(zip, part.bytes.data(), static_cast<unsigned>(part.bytes.size()));
    zipCloseFileInZip(zip);
  }
  zipClose(zip, nullptr);
  std::stringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  std::filesystem::remove(path);
  return bytes.str();
}

}  // namespace sluice::formats
