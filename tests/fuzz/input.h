#pragma once
// What fuzz targets share. A target takes some bytes for its settings off the front; the rest is text, so that the kept inputs can be read.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/csv.h"
#include "formats/reader.h"

namespace sluice::fuzz {

class Settings {
 public:
  Settings(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  // The next setting, less than `count`.
  unsigned Next(unsigned count) {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value % count;
  }
  std::string_view text() const { return rest_; }

 private:
  std::string_view rest_;
};

// Ends the process where `good` is false, so that the fuzzer keeps the input.
inline void Require(bool good, const char* what, std::string_view detail = "") {
  if (good) return;
  std::fprintf(stderr, "broken: %s: ", what);
  (void)std::fwrite(detail.data(), 1, detail.size(), stderr);
  std::abort();
}

// One of the dialects that real files have.
formats::CsvDialect DialectOf(unsigned which);
inline constexpr unsigned kDialects = 6;

// All that a reader says of a file, as text: rows, violations, places, raw records; and the code of the error that ended it.
std::string Transcript(Result<std::unique_ptr<formats::RecordReader>> reader);

// A contract with a column of each type, and a memory store with the file "f".
class File {
 public:
  explicit File(std::string_view bytes, unsigned contract);
  ~File();
  formats::ReadRequest Request(int64_t block_bytes, int64_t max_record_bytes) const;
  static constexpr unsigned kContracts = 4;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sluice::fuzz
