#include "tables/data_file_writer.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <climits>
#include <mutex>
#include <optional>
#include <utility>

#include "contract/arrow_types.h"
#include "core/profile.h"
#include "core/text.h"
#include "tables/batch_bytes.h"
#include "tables/conform.h"
#include "tables/constraints.h"
#include "tables/gather.h"
#include "tables/generated.h"
#include "tables/partition_files.h"
#include "tables/partition_index.h"
#include "tables/scatter.h"

namespace sluice::tables {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

constexpr int64_t kPendingBytes = 8LL << 20;  // of rows that wait to be scattered together
constexpr int64_t kRunBytes = 64LL << 10;     // for each partition there is

Error ArrowError(const arrow::Status& status) { return BugError("arrow: " + status.ToString()); }

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& other) { return EqualsIgnoreCase(other, name); });
}

class ScatteringWriter : public DataFileWriter {
 public:
  ScatteringWriter(store::ObjectStore& store, std::string table_root, WriterOptions options, Random& random)
      : store_(store), root_(std::move(table_root)), options_(std::move(options)), random_(random) {}

  Status Prepare() {
    std::vector<contract::Field> data;
    for (const contract::Field& field : options_.schema.fields) {
      SLUICE_TRY(auto generated, GeneratedOf(field, options_.schema));
      const bool is_partition = Contains(options_.partition_columns, field.name);
      if (!is_partition) {
        data_places_.push_back({generated.has_value(), generated ? generated_.size() : input_.fields.size()});
        data.push_back(field);
      }
      if (generated) {
        generated_.push_back(*std::move(generated));
        whole_.fields.push_back(field);
      } else {
        input_.fields.push_back(field);
      }
    }
    whole_.fields.insert(whole_.fields.begin(), input_.fields.begin(), input_.fields.end());
    for (const Generated& generated : generated_) sources_.push_back(input_.IndexOf(generated.source));
    looked_at_ = sources_;
    for (size_t i = 0; i < whole_.fields.size(); ++i)
      if (IsPartition(whole_.fields[i].name)) looked_at_.push_back(static_cast<int>(i));
    shape_ = MakeFileShape(std::move(data), options_.rules.indexed_columns, options_.rules.mapping);
    input_schema_ = MakeFileShape(input_.fields, 0).arrow_schema;
    whole_schema_ = MakeFileShape(whole_.fields, 0).arrow_schema;
    files_.emplace(store_, root_, options_, shape_, random_, [this](uint32_t partition) { return ValuesOf(partition); });
    if (!options_.rules.constraints.empty()) {
      SLUICE_TRY(constraints_, ConstraintCheck::Open(options_.rules.constraints, whole_));
    }
    if (options_.partition_columns.empty()) return Ok();
    SLUICE_TRY(index_, PartitionIndex::Make(options_.schema, options_.partition_columns, input_, generated_));
    return Ok();
  }

  Status Write(const arrow::RecordBatch& batch, Brought brought) override { return Take(batch, brought, {}); }

  Status WriteRest(const arrow::RecordBatch& batch, Dropped dropped) override {
    const auto drops = std::count(dropped.begin(), dropped.end(), 1);
    if (drops == batch.num_rows()) return Ok();
    if (drops == 0) return Take(batch, Brought::kChecked, {});
    if (!constraints_ && batch.num_columns() == input_schema_->num_fields()) return Take(batch, Brought::kChecked, std::move(dropped));
    const std::vector<uint32_t> rest = RestOf(dropped);
    const RowPick pick{0, rest};
    SLUICE_TRY(const Gatherer gatherer, Gatherer::Make({batch.Slice(0)}));
    SLUICE_TRY(const Batch kept, gatherer.Gather({&pick, 1}));
    return Take(*kept, Brought::kChecked, {});
  }

  Result<std::vector<StagedFile>> Finish() override {
    if (index_) SLUICE_CHECK(ScatterAll(std::exchange(pending_, {})));
    return files_->Finish();
  }

  int64_t rows_written() const override { return rows_; }

 private:
  static std::vector<uint32_t> RestOf(const Dropped& dropped) {
    std::vector<uint32_t> rest;
    for (size_t row = 0; row < dropped.size(); ++row)
      if (dropped[row] == 0) rest.push_back(static_cast<uint32_t>(row));
    return rest;
  }

  Error TooManyPartitions() const {
    return DataError("too-many-partitions",
                     fmt::format("{} would get more than {} partitions at once, as many as the memory bears (by {})", root_,
                                 FormatCount(options_.max_partitions), Join(options_.partition_columns, ", ")))
        .Hint("partition by fewer values, month(…) or year(…) of a date; or give --memory more");
  }

  // `dropped`: rows that are left out, of a batch that is not looked at as a whole.
  Status Take(const arrow::RecordBatch& batch, Brought brought, Dropped dropped) {
    const bool kept = brought == Brought::kKept && !generated_.empty();
    SLUICE_TRY(Batch input, kept ? Whole(batch) : Conform(batch, input_schema_, dropped));
    SLUICE_TRY(input, Looked(std::move(input)));
    if (!kept) SLUICE_CHECK(CheckBrought(*input, batch, dropped));
    if (constraints_ && input->num_rows() > 0) {
      SLUICE_TRY(const Batch checked, kept ? Result<Batch>(input) : WithGenerated(*input));
      const std::lock_guard lock(constraints_mutex_);
      SLUICE_CHECK(constraints_->Check(checked));
    }
    rows_ += input->num_rows() - std::count(dropped.begin(), dropped.end(), 1);
    if (!index_) {
      SLUICE_TRY(const Batch data, DataColumns(*input, kept));
      if (dropped.empty()) return files_->Write(0, *data);
      const std::vector<uint32_t> rest = RestOf(dropped);
      const RowPick pick{0, rest};
      const PickedRows::Batches batches{data};
      std::optional<Gatherer> gatherer;
      return files_->Write(0, PickedRows(batches, {&pick, 1}, &gatherer));
    }
    for (Pending& due : Wait(std::move(input), kept, std::move(dropped))) SLUICE_CHECK(ScatterAll(std::move(due)));
    return Ok();
  }

  // Columns whose values are looked at here are no dictionaries.
  Result<Batch> Looked(Batch input) const {
    if (constraints_) return Dense(*input);
    for (const int place : looked_at_) {
      if (place >= input->num_columns() || input->column(place)->type_id() != arrow::Type::DICTIONARY) continue;
      SLUICE_TRY(const auto dense, Dense(input->column(place)));
      auto with = input->SetColumn(place, input->schema()->field(place), dense);
      if (!with.ok()) return Fail(ArrowError(with.status()));
      input = *std::move(with);
    }
    return input;
  }

  delta::PartitionValues ValuesOf(uint32_t partition) {
    if (!index_) return {};
    const std::lock_guard lock(index_mutex_);
    return index_->Values(partition);
  }

  bool IsPartition(const std::string& name) const { return Contains(options_.partition_columns, name); }

  // The column that a batch brings beyond the input; null if it does not.
  std::shared_ptr<arrow::Array> BroughtColumn(const arrow::RecordBatch& batch, const std::string& name) const {
    for (int i = input_schema_->num_fields(); i < batch.num_columns(); ++i)
      if (EqualsIgnoreCase(batch.schema()->field(i)->name(), name)) return batch.column(i);
    return nullptr;
  }

  Status CheckBrought(const arrow::RecordBatch& input, const arrow::RecordBatch& batch, const Dropped& dropped) const {
    for (size_t i = 0; i < generated_.size(); ++i) {
      const Generated& generated = generated_[i];
      const arrow::Array& source = *input.column(sources_[i]);
      const contract::Field& field = whole_.fields[input_.fields.size() + i];
      if (!field.nullable && CountNulls(source, dropped) > 0)
        return Fail(DataError("not-null", fmt::format("column \"{}\" must not be NULL, and is where \"{}\" is: {}", generated.column,
                                                      generated.source, generated.expression)));
      const auto given = BroughtColumn(batch, generated.column);
      if (given == nullptr) continue;
      SLUICE_TRY(const auto dense, Dense(given));
      SLUICE_TRY(const auto typed,
                 tables::Conform(dense, whole_schema_->field(input_schema_->num_fields() + static_cast<int>(i))->type(), generated.column));
      SLUICE_CHECK(tables::CheckGenerated(generated, source, *typed, IsPartition(generated.column)));
    }
    return Ok();
  }

  // Of rows that bring all.
  Result<Batch> Whole(const arrow::RecordBatch& batch) const {
    arrow::ArrayVector columns;
    for (int i = 0; i < input_schema_->num_fields(); ++i) columns.push_back(batch.column(i));
    for (const Generated& generated : generated_) {
      columns.push_back(BroughtColumn(batch, generated.column));
      if (columns.back() == nullptr) return Fail(BugError(fmt::format("rows of the table come without \"{}\"", generated.column)));
    }
    return tables::Conform(*arrow::RecordBatch::Make(whole_schema_, batch.num_rows(), std::move(columns)), whole_schema_);
  }

  Result<Batch> WithGenerated(const arrow::RecordBatch& input) const {
    arrow::ArrayVector columns = input.columns();
    for (size_t i = 0; i < generated_.size(); ++i) {
      SLUICE_TRY(auto column, Generate(generated_[i], *input.column(sources_[i])));
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(whole_schema_, input.num_rows(), std::move(columns));
  }

  Result<Batch> DataColumns(const arrow::RecordBatch& input, bool kept) const {
    arrow::ArrayVector columns;
    for (size_t i = 0; i < data_places_.size(); ++i) {
      const auto [is_generated, place] = data_places_[i];
      std::shared_ptr<arrow::Array> column;
      if (is_generated && !kept) {
        SLUICE_TRY(column, Generate(generated_[place], *input.column(sources_[place])));
      } else {
        column = input.column(static_cast<int>(is_generated ? input_.fields.size() + place : place));
      }
      columns.push_back(Renamed(column, shape_.arrow_schema->field(static_cast<int>(i))->type()));
    }
    return arrow::RecordBatch::Make(shape_.arrow_schema, input.num_rows(), std::move(columns));
  }

  struct Waiting {
    Batch input;
    Dropped dropped;
  };
  struct Pending {
    std::vector<Waiting> batches;
    bool kept = false;  // they bring their generated columns
    int64_t bytes = 0;
  };

  // Waits with others, so that there are runs worth the name; gives back what has waited long enough, for this thread to scatter.
  std::vector<Pending> Wait(Batch input, bool kept, Dropped dropped) {
    const int64_t bytes = BytesOf(*input);
    std::vector<Pending> due;
    const std::lock_guard lock(pending_mutex_);
    if (kept != pending_.kept && !pending_.batches.empty()) due.push_back(std::exchange(pending_, {}));
    pending_.kept = kept;
    pending_.bytes += bytes;
    pending_.batches.push_back({std::move(input), std::move(dropped)});
    if (pending_.bytes >= WorthScattering()) due.push_back(std::exchange(pending_, {}));
    return due;
  }

  // Enough for runs of some length, and no more: rows that wait here leave the processor's caches.
  int64_t WorthScattering() const {
    return std::min(std::max(kPendingBytes, partitions_ * kRunBytes), options_.memory_bytes / 8 / options_.threads);
  }

  Status ScatterAll(Pending pending) {
    std::vector<ScatterPart> parts;
    uint32_t partitions = 0;
    for (Waiting& waiting : pending.batches) {
      ScatterPart part{nullptr, {}, std::move(waiting.dropped)};
      SLUICE_TRY(part.data, DataColumns(*waiting.input, pending.kept));
      const std::lock_guard lock(index_mutex_);
      SLUICE_CHECK(index_->Number(*waiting.input, pending.kept, part.dropped, &part.partition_of));
      partitions = index_->size();
      if (partitions > options_.max_partitions) return Fail(TooManyPartitions());
      waiting.input.reset();
      parts.push_back(std::move(part));
    }
    partitions_ = partitions;
    const StageTimer timer(Stage::kScatter);
    SLUICE_TRY(parts, JoinParts(std::move(parts), partitions));
    return Scatter(parts, partitions, [&](uint32_t partition, const PickedRows& rows) { return files_->Write(partition, rows); });
  }

  store::ObjectStore& store_;
  const std::string root_;
  const WriterOptions options_;
  Random& random_;

  struct Place {
    bool is_generated;
    size_t at;  // in generated_, or in input_
  };
  contract::Schema input_, whole_;  // the columns that batches must bring; these and then the generated ones
  std::vector<Generated> generated_;
  std::vector<int> sources_;        // of the generated columns, in input_
  std::vector<int> looked_at_;      // these and the partition columns
  std::vector<Place> data_places_;  // of the data columns
  std::shared_ptr<arrow::Schema> input_schema_, whole_schema_;
  FileShape shape_;
  std::optional<PartitionIndex> index_;  // none: one partition, number 0
  std::unique_ptr<ConstraintCheck> constraints_;

  std::mutex pending_mutex_, index_mutex_, constraints_mutex_;
  Pending pending_;  // waiting to be scattered together
  std::atomic<int64_t> partitions_ = 0;
  std::optional<PartitionFiles> files_;
  std::atomic<int64_t> rows_ = 0;
};

}  // namespace

Result<FileRules> RulesOf(const delta::Protocol& protocol, const delta::Metadata& metadata, contract::Schema* schema) {
  FileRules rules;
  rules.mapping = delta::ColumnMappingOf(protocol, metadata);
  if (rules.mapping != delta::ColumnMapping::kNone) {
    auto properties = metadata.configuration;
    delta::AssignColumnIds(schema, &properties);
  }
  SLUICE_TRY(rules.constraints, delta::ConstraintsOf(protocol, metadata, *schema));
  const auto indexed = metadata.configuration.find("delta.dataSkippingNumIndexedCols");
  if (indexed == metadata.configuration.end()) return rules;
  const std::string& text = indexed->second;
  int columns = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
  if (error == std::errc()) rules.indexed_columns = columns < 0 ? INT_MAX : columns;  // -1: all
  return rules;
}

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(store::ObjectStore& store, std::string table_root, WriterOptions options,
                                                             Random& random) {
  auto writer = std::make_unique<ScatteringWriter>(store, std::move(table_root), std::move(options), random);
  SLUICE_CHECK(writer->Prepare());
  return writer;
}

}  // namespace sluice::tables
