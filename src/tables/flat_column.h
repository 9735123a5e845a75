#pragma once
// A column of a row group whose values are not nested, from Arrow arrays to Parquet's pages.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "tables/page_encoding.h"
#include "tables/spill.h"

namespace arrow {
struct ArrayData;
class DataType;
}  // namespace arrow
namespace parquet {
class ColumnDescriptor;
class EncodedStatistics;
}  // namespace parquet

namespace sluice::tables {

// Bytes that grow without being cleared.
class GrowingBytes {
 public:
  GrowingBytes() = default;
  ~GrowingBytes();
  GrowingBytes(GrowingBytes&& other) noexcept;
  GrowingBytes& operator=(GrowingBytes&& other) noexcept;

  // Room for so many behind the end, which Advance then moves.
  char* Reserve(size_t bytes);
  void Advance(size_t bytes) { size_ += bytes; }
  const char* data() const { return reinterpret_cast<const char*>(data_); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  template <typename T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

// The pages of a column chunk, one behind the other.
struct EncodedChunk {
  std::string bytes;
  int64_t raw_bytes = 0;                // headers, and the pages before they were compressed
  int64_t dictionary_page_size = 0;     // with its header; 0: no dictionary
  int data_pages = 0, index_pages = 0;  // the latter among the former: of places in the dictionary
};

// How values of a type lie in an Arrow array and in Parquet's plain encoding.
struct FlatType;
// Null: a nested type, or one that this does not write. Lives as long as the program.
const FlatType* FlatTypeOf(const arrow::DataType& type, const parquet::ColumnDescriptor& column);

// Rows are copied when they are added, each value once: into the plain encoding, or as its place in a dictionary. What they came from is
// not kept, but for a dictionary that others grow (contract::TextDictionary).
class FlatColumn {
 public:
  FlatColumn(const FlatType& type, bool optional);
  ~FlatColumn();
  FlatColumn(FlatColumn&&) noexcept;
  FlatColumn& operator=(FlatColumn&&) noexcept;

  // Rows of an array of the type, or of a dictionary array of it; without `rows` all. Error kBug: a NULL in a column that is not optional.
  Status Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows);
  int64_t rows() const { return rows_; }
  int64_t bytes() const;  // that it holds

  // The rows so far become pages behind `pages`; rows still may come. Whoever takes them says where they are. `dictionary`: rows that have
  // one already keep it.
  Status TakePages(bool dictionary, bool compress, std::string* pages);
  void KeptAt(const SpillFile::Chunk& pages) { spilled_.push_back(pages); }
  // All as one chunk, and what its footer says of it; then the column is empty. `dictionary`: it may have one, if that is smaller.
  // `scratch` has the pages that were taken; null: none were.
  Result<EncodedChunk> Finish(bool dictionary, bool compress, SpillFile* scratch, parquet::EncodedStatistics* statistics);
  // Was a float not a number, ever?
  bool has_nan() const { return has_nan_; }

 private:
  enum class Coding {
    kPlain,    // `values_` are the values
    kShared,   // `values_` are places in `dictionary_`
    kEntries,  // `values_` are places in `entries_`
  };
  struct Chosen;  // rows of an array
  class Entries;

  struct PageRows {
    int64_t first, rows;
  };

  Status AppendPresence(const arrow::ArrayData& values, const Chosen& chosen);
  void AppendValues(const arrow::ArrayData& values, const Chosen& chosen);
  void AppendDictionary(const arrow::ArrayData& values, const Chosen& chosen);
  void AppendCodes(const arrow::ArrayData& values, const Chosen& chosen);
  void AppendEntries(const arrow::ArrayData& values, const Chosen& chosen);
  void ToEntries();
  void ToPlain();

  // Plain values become known to the bounds.
  void Observe(std::string_view plain);
  size_t ValuesIn(int64_t first, int64_t rows) const;
  Result<bool> WriteWithDictionary(bool compress, EncodedChunk* out);
  Status WritePlain(bool compress, EncodedChunk* out);
  Status WriteDictionary(const Entries& entries, bool compress, EncodedChunk* out);
  Status WriteIndices(std::span<const uint32_t> places, size_t entries, bool compress, EncodedChunk* out);
  Status WritePage(const PageRows& page, std::string_view plain, std::span<const uint32_t> places, size_t entries, bool compress,
                   EncodedChunk* out);
  static Status StorePage(PageKind kind, int64_t values, std::string_view body, bool compress, EncodedChunk* out);

  const FlatType* type_;
  bool optional_;
  Coding coding_ = Coding::kPlain;
  int64_t rows_ = 0, nulls_ = 0;  // waiting; of the chunk
  int64_t taken_rows_ = 0;
  std::vector<uint8_t> present_;  // a byte for each row that waits, from the first NULL on; empty: all are
  GrowingBytes values_;           // of the rows that wait and are not NULL
  std::shared_ptr<arrow::ArrayData> dictionary_;
  std::unique_ptr<Entries> entries_;
  EncodedChunk taken_;  // of the pages that were: without their bytes, which are in …
  std::vector<SpillFile::Chunk> spilled_;
  std::string min_, max_;  // plain, of what was made pages; texts without their length
  bool observed_ = false, has_nan_ = false;
};

}  // namespace sluice::tables
