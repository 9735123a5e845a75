#pragma once
// The files that arrive, built in memory with the row and line of every record known.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "cli/retail/calendar.h"
#include "core/result.h"

namespace sluice::cli::retail {

struct Dialect {
  enum class Format { kCsv, kNdjson };
  Format format = Format::kCsv;
  char delimiter = ',';
  bool crlf = false;
  bool bom = false;
};

struct Place {
  int64_t row, line;  // 1-based
};

class RecordFile {
 public:
  RecordFile(std::string path, int delivery, Dialect dialect, std::span<const std::string> columns);

  // CSV: the fields' plain texts, quoted where needed. NDJSON: JSON texts, an empty one leaves its key out.
  Place Add(std::span<const std::string> fields);
  // As it is; only the line's end is added. `text` has no line break.
  Place AddRaw(std::string_view text);
  // The text that Add would write, without the line's end.
  std::string Render(std::span<const std::string> fields) const;

  const std::string& path() const { return path_; }
  const std::string& bytes() const { return bytes_; }
  int delivery() const { return delivery_; }
  const Dialect& dialect() const { return dialect_; }

 private:
  std::string path_;
  int delivery_;
  Dialect dialect_;
  std::span<const std::string> columns_;  // outlives the file
  std::string bytes_;
  int64_t rows_ = 0, line_ = 1;
};

// Makes the folders on the way. Error: "cannot-write".
Status WriteTextFile(const std::string& path, const std::string& bytes);

class Landing {
 public:
  explicit Landing(Calendar calendar) : calendar_(calendar) {}

  // The file under that path, made on first use. A snapshot that every delivery replaces is one file per delivery.
  RecordFile& Open(const std::string& path, int delivery, Dialect dialect, std::span<const std::string> columns);
  const Calendar& calendar() const { return calendar_; }

  // Writes what is due under `out_dir`; a path ending in .gz is compressed. Of a path that several due deliveries replace only
  // the last is written.
  Status Write(const std::string& out_dir) const;

 private:
  Calendar calendar_;
  std::map<std::pair<int, std::string>, std::unique_ptr<RecordFile>> files_;  // by delivery, path
};

}  // namespace sluice::cli::retail
