#pragma once
// A column of a row group, from Arrow arrays to Parquet's pages.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "tables/distinct_values.h"
#include "tables/file_shape.h"
#include "tables/growing_bytes.h"
#include "tables/leaf_type.h"
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

// The pages of a column chunk.
struct EncodedChunk {
  std::vector<std::string> pages;       // the dictionary's is the first one
  int64_t bytes = 0;                    // of these
  int64_t values = 0;                   // in data pages, with NULLs and what stands for empty lists
  int64_t raw_bytes = 0;                // headers, and the pages before they were compressed
  int64_t dictionary_page_size = 0;     // with its header; 0: no dictionary
  int data_pages = 0, index_pages = 0;  // the latter among the former: of places in the dictionary
};

// Rows are copied when they are added, each value once: into the plain encoding, or as its place in a dictionary. What they came from is
// not kept, but for a dictionary that others grow (contract::TextDictionary). They wait until they are worth a page, or for Finish.
class LeafColumn {
 public:
  // `dictionary`: it may have one, where that is smaller. `leaf` outlives it.
  LeafColumn(const Leaf& leaf, bool dictionary, bool compress);
  ~LeafColumn();
  LeafColumn(LeafColumn&&) noexcept;
  LeafColumn& operator=(LeafColumn&&) noexcept;

  // Rows of the table's column, or of a dictionary array of it; without `rows` all. Error kBug: a NULL in a column that is not optional.
  Status Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows);
  // What waits becomes pages, if it is worth one.
  Status MakeFullPages();

  int64_t bytes() const;                              // that it holds in memory
  int64_t page_bytes() const { return made_.bytes; }  // of these, what is encoded
  int64_t raw_bytes() const;                          // of all rows so far, before they were encoded

  // All that it holds, as pages behind `pages`; rows still may come. Whoever takes them says where they are.
  Status TakePages(std::string* pages);
  void KeptAt(const SpillFile::Chunk& pages) { spilled_.push_back(pages); }
  // All as one chunk, and what its footer says of it; then the column is empty. `scratch` has the pages that were taken; null: none were.
  Result<EncodedChunk> Finish(SpillFile* scratch, parquet::EncodedStatistics* statistics);
  bool has_nan() const { return bounds_.has_nan(); }
  int64_t TakeNullLists() { return std::exchange(null_lists_, 0); }  // since it was asked last: of outermost lists or maps

 private:
  enum class Coding {
    kPlain,    // `values_` are the values
    kShared,   // `values_` are places in `dictionary_`
    kEntries,  // `values_` are places in `entries_`; or all are `run_place_`, and there are `run_` of them
  };
  enum class Choice { kOpen, kDictionary, kPlain };
  enum class When { kPageIsFull, kMemoryIsShort, kLast };
  // Of a page.
  struct PageRows {
    int64_t first, rows;
  };

  Status AppendNested(const arrow::ArrayData& values, const ChosenRows& chosen);
  Result<ChosenRows> AppendPresence(const arrow::ArrayData& values, const ChosenRows& chosen, std::vector<uint32_t>* valued);
  void AppendValues(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendDictionary(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendEntries(const arrow::ArrayData& values, const ChosenRows& chosen);
  void AppendConstant(const arrow::ArrayData& values, uint32_t row, size_t count);
  void AppendPlace(uint32_t place, size_t count);
  void AppendPlainValue(std::string_view value, size_t count);
  void ToEntries();
  void ToPlain();
  void Unroll();

  bool may_code() const;
  bool waits() const { return values_.size() > 0 || run_ > 0; }
  int64_t waiting_bytes() const;
  size_t ValuesIn(int64_t first, int64_t rows) const;
  int64_t EndOfRow(int64_t at) const;
  Status MakePages(When when);
  bool EntriesPay(When when, size_t values) const;
  bool FindPlaces(When when, std::vector<uint32_t>* places);
  Status WritePlain();
  Status WriteIndices(std::span<const uint32_t> places);
  Status WriteRun();
  Status WriteDictionary(EncodedChunk* out);
  void BeginPage(const PageRows& page, std::string* body) const;
  Status StorePage(PageKind kind, int64_t values, std::string_view body, EncodedChunk* out) const;

  const Leaf* leaf_;
  const LeafType* type_;
  bool dictionary_allowed_, compress_;
  Coding coding_ = Coding::kPlain;
  Choice choice_ = Choice::kOpen;  // of the chunk
  int64_t rows_ = 0;               // that wait; below a list each of its elements is one
  int64_t nulls_ = 0;              // of the chunk
  int64_t null_lists_ = 0;
  int64_t made_raw_bytes_ = 0;
  std::vector<uint8_t> definition_, repetition_;  // of the rows that wait; empty: all have a value, all begin a row of the table
  GrowingBytes values_;                           // of the rows that wait and are not NULL
  size_t run_ = 0;
  uint32_t run_place_ = 0;
  std::shared_ptr<arrow::ArrayData> dictionary_;
  std::unique_ptr<DistinctValues> entries_;
  EncodedChunk made_;  // without the bytes of pages that were taken, which are in …
  std::vector<SpillFile::Chunk> spilled_;
  PlainBounds bounds_;  // of what was made pages
};

}  // namespace sluice::tables
