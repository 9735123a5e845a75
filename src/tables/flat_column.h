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
#include "tables/distinct_values.h"
#include "tables/flat_type.h"
#include "tables/growing_bytes.h"
#include "tables/page_encoding.h"
#include "tables/plain_bounds.h"
#include "tables/spill.h"

namespace arrow {
struct ArrayData;
}
namespace parquet {
class EncodedStatistics;
}

namespace sluice::tables {

// The pages of a column chunk, one behind the other.
struct EncodedChunk {
  std::string bytes;
  int64_t raw_bytes = 0;                // headers, and the pages before they were compressed
  int64_t dictionary_page_size = 0;     // with its header; 0: no dictionary
  int data_pages = 0, index_pages = 0;  // the latter among the former: of places in the dictionary
};

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
  int64_t bytes() const;  // that it holds

  // The rows so far become pages behind `pages`; rows still may come. Whoever takes them says where they are. `dictionary`: rows that have
  // one already keep it.
  Status TakePages(bool dictionary, bool compress, std::string* pages);
  void KeptAt(const SpillFile::Chunk& pages) { spilled_.push_back(pages); }
  // All as one chunk, and what its footer says of it; then the column is empty. `dictionary`: it may have one, if that is smaller.
  // `scratch` has the pages that were taken; null: none were.
  Result<EncodedChunk> Finish(bool dictionary, bool compress, SpillFile* scratch, parquet::EncodedStatistics* statistics);
  bool has_nan() const { return bounds_.has_nan(); }

 private:
  enum class Coding {
    kPlain,    // `values_` are the values
    kShared,   // `values_` are places in `dictionary_`
    kEntries,  // `values_` are places in `entries_`
  };
  struct PageRows {
    int64_t first, rows;
  };

  Status AppendPresence(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendValues(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendDictionary(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendEntries(const arrow::ArrayData& values, const ChosenRows& chosen);
  void ToEntries();
  void ToPlain();

  size_t ValuesIn(int64_t first, int64_t rows) const;
  Result<bool> WriteWithDictionary(bool compress, EncodedChunk* out);
  Status WritePlain(bool compress, EncodedChunk* out);
  Status WriteDictionary(const DistinctValues& entries, bool compress, EncodedChunk* out);
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
  std::unique_ptr<DistinctValues> entries_;
  EncodedChunk taken_;  // of the pages that were: without their bytes, which are in …
  std::vector<SpillFile::Chunk> spilled_;
  PlainBounds bounds_;  // of what was made pages
};

}  // namespace sluice::tables
