#include "tables/row_change.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/parallel.h"
#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/path.h"
#include "tables/copy_file.h"
#include "tables/file_stats.h"

namespace sluice::tables {
namespace {

constexpr int64_t kWorthCopying = 16LL << 20;  // bytes of a file; several smaller ones are better joined

std::vector<int64_t> Union(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> out;
  out.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& other) { return EqualsIgnoreCase(other, name); });
}

Error ArrowError(const std::string& what) { return BugError("arrow: " + what); }

}  // namespace

Result<std::unique_ptr<RowChange>> RowChange::Start(const TableTarget& target, engines::Connection& connection, const TablePlan& plan,
                                                    const StageOptions& options, const std::string& gone) {
  std::unique_ptr<RowChange> change(new RowChange(target, connection, plan, options));
  SLUICE_CHECK(change->FindTouched(gone));
  SLUICE_TRY(change->writer_, RowWriter::Open(target, plan, options));
  // Where nothing leaves, the added files are the change: every row of them an insert.
  if (KeepsChangeData(target, plan) && !change->removed_.empty()) {
    SLUICE_TRY(change->change_data_, RowWriter::OpenChangeData(target, plan, options));
    SLUICE_CHECK(change->KeepGone(gone));
  }
  SLUICE_CHECK(MayMarkRows(target) && plan.widened.empty() ? change->MarkRows(gone) : change->RewriteFiles(gone));
  return change;
}

Status RowChange::FindTouched(const std::string& gone) {
  removed_ = FilesOf(target_);
  if (plan_.widened.empty()) {
    SLUICE_TRY(const auto locations, connection_.Rows("SELECT DISTINCT file FROM " + gone));
    removed_ = FilesAt(target_, locations);
  }
  SLUICE_TRY(touched_, TargetRows(target_, plan_, removed_));
  return Ok();
}

Status RowChange::KeepGone(const std::string& gone) {
  return PutChangeData(
      fmt::format("SELECT {}, CASE WHEN g.updated THEN 'update_preimage' ELSE 'delete' END AS {} FROM {} t JOIN {} g ON t.{} = g.file AND "
                  "t.{} = g.row",
                  Columns("t", plan_.AllColumns()), kChangeType, touched_, gone, kFileColumn, kRowColumn),
      Brought::kKept);
}

Status RowChange::RewriteFiles(const std::string& gone) {
  std::vector<const delta::Add*> rest = removed_;
  if (plan_.widened.empty()) {
    rest.clear();
    SLUICE_TRY(auto places, ReadPlaces(gone));
    SLUICE_CHECK(CopyFiles(std::move(places), &rest));
  }
  return rest.empty() ? Ok() : RewriteRows(rest, gone);
}

// Leaves in `rest` the files that are not worth it, being better joined, or cannot be copied.
Status RowChange::CopyFiles(Places places, std::vector<const delta::Add*>* rest) {
  std::vector<contract::Field> columns;
  for (const contract::Field& field : plan_.schema.fields)
    if (!Contains(plan_.partition_columns, field.name)) columns.push_back(field);
  std::vector<const delta::Add*> large;
  for (const delta::Add* add : removed_) (add->size >= kWorthCopying ? large : *rest).push_back(add);
  if (rest->size() == 1) {  // none to join it with
    large.push_back(rest->back());
    rest->clear();
  }
  struct Copy {
    std::string name;
    bool possible = false;
    std::optional<StagedFile> file;  // none where no row stays
  };
  std::vector<Copy> copies(large.size());
  for (size_t i = 0; i < copies.size(); ++i)
    copies[i].name = fmt::format("{}-{}-{:05}", options_.file_prefix, Hex(RandomOf(options_).Next()), i);
  SLUICE_TRY(const auto threads, connection_.Scalar("SELECT current_setting('threads')"));
  SLUICE_CHECK(InParallel(copies.size(), std::stoul(threads.value_or("1")), [&](size_t i) -> Status {
    const delta::Add& add = *large[i];
    SLUICE_TRY(auto copy, FileCopy::Open(*target_.store, target_.root, add, columns, plan_.rules));
    copies[i].possible = copy.has_value();
    if (!copy) return Ok();
    std::vector<int64_t> leaving = std::move(places.at(delta::FileLocation(*target_.store, target_.root, add.path)));
    if (add.deletion_vector) {
      SLUICE_TRY(const auto before, delta::ReadDeletionVector(*target_.store, target_.root, *add.deletion_vector));
      leaving = Union(before, leaving);
    }
    SLUICE_TRY(copies[i].file, copy->Write(leaving, copies[i].name));
    return Ok();
  }));
  for (size_t i = 0; i < copies.size(); ++i) {
    if (!copies[i].possible) rest->push_back(large[i]);
    if (!copies[i].file) continue;
    copies[i].file->add.modification_time = ClockOf(options_).Now().millis();
    copied_.push_back(*std::move(copies[i].file));
  }
  return Ok();
}

Status RowChange::RewriteRows(const std::vector<const delta::Add*>& files, const std::string& gone) {
  SLUICE_TRY(const std::string from, TargetRows(target_, plan_, files));
  SLUICE_TRY(const auto reader, connection_.Query(fmt::format("SELECT {} FROM {} t ANTI JOIN {} g ON t.{} = g.file AND t.{} = g.row",
                                                              Columns("t", plan_.AllColumns()), from, gone, kFileColumn, kRowColumn)));
  SLUICE_TRY([[maybe_unused]] const int64_t rows, writer_->WriteAll(*reader, Brought::kKept));
  return Ok();
}

Result<RowChange::Places> RowChange::ReadPlaces(const std::string& gone) {
  SLUICE_TRY(const auto reader, connection_.Query(fmt::format("SELECT CAST(file AS VARCHAR), CAST(row AS BIGINT) FROM {}", gone)));
  Places places;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (!batch) break;
    const auto* files = dynamic_cast<const arrow::StringArray*>(batch->column(0).get());
    const auto* rows = dynamic_cast<const arrow::Int64Array*>(batch->column(1).get());
    if (files == nullptr || rows == nullptr) return Fail(ArrowError("places of another type: " + batch->schema()->ToString()));
    std::vector<int64_t>* numbers = nullptr;
    std::string_view file;
    for (int64_t i = 0; i < batch->num_rows(); ++i) {
      if (numbers == nullptr || files->GetView(i) != file) {
        file = files->GetView(i);
        numbers = &places[std::string(file)];
      }
      numbers->push_back(rows->Value(i));
    }
  }
  for (auto& [file, numbers] : places) std::sort(numbers.begin(), numbers.end());
  return places;
}

// Each touched file stays with a larger deletion vector, or goes where no row of it is left.
Status RowChange::MarkRows(const std::string& gone) {
  SLUICE_TRY(Places places, ReadPlaces(gone));
  std::vector<std::vector<int64_t>> vectors;
  for (const delta::Add* add : removed_) {
    const std::string location = delta::FileLocation(*target_.store, target_.root, add->path);
    delta::Add marked = *add;
    SLUICE_TRY(const int64_t rows, EnsureRecords(connection_, location, &marked));
    std::vector<int64_t> before;
    if (add->deletion_vector) {
      SLUICE_TRY(before, delta::ReadDeletionVector(*target_.store, target_.root, *add->deletion_vector));
    }
    std::vector<int64_t> all = Union(before, places[location]);
    if (static_cast<int64_t>(all.size()) >= rows) continue;
    LoosenBounds(&marked);
    marked.data_change = true;
    vectors.push_back(std::move(all));
    marked_.push_back(std::move(marked));
  }
  if (marked_.empty()) return Ok();
  SLUICE_TRY(auto written, delta::WriteDeletionVectors(*target_.store, target_.root, options_.file_prefix, vectors, ClockOf(options_),
                                                       RandomOf(options_)));
  for (size_t i = 0; i < marked_.size(); ++i) marked_[i].deletion_vector = std::move(written[i]);
  SLUICE_CHECK(EnableDeletionVectors(target_, &plan_));
  return Ok();
}

Status RowChange::PutChangeData(const std::string& select, Brought brought) {
  SLUICE_TRY(const auto reader, connection_.Query(select));
  SLUICE_TRY([[maybe_unused]] const int64_t rows, change_data_->WriteAll(*reader, brought));
  return Ok();
}

Status RowChange::Put(const std::string& select, Arrival arrival) {
  if (change_data_)
    SLUICE_CHECK(PutChangeData(
        fmt::format("SELECT *, '{}' AS {} FROM ({})", arrival == Arrival::kInsert ? "insert" : "update_postimage", kChangeType, select),
        Brought::kChecked));
  SLUICE_TRY(const auto reader, connection_.Query(select));
  SLUICE_TRY([[maybe_unused]] const int64_t rows, writer_->WriteAll(*reader));
  return Ok();
}

Result<StagedChange> RowChange::Finish(CommitParts parts) {
  SLUICE_TRY(parts.added, writer_->Finish());
  std::move(copied_.begin(), copied_.end(), std::back_inserter(parts.added));
  parts.removed = removed_;
  parts.marked = std::move(marked_);
  if (change_data_) {
    SLUICE_TRY(const auto files, change_data_->Finish());
    for (const StagedFile& file : files) {
      delta::CdcFile& change = parts.change_data.emplace_back();
      change.path = file.add.path;
      change.partition_values = file.add.partition_values;
      change.size = file.add.size;
    }
  }
  // A widened column rewrites every file.
  const bool narrow = parts.reads == delta::ReadScope::kPartitions && plan_.widened.empty();
  if (!narrow) parts.reads = delta::ReadScope::kWholeTable;
  if (parts.domain) SLUICE_CHECK(RequireDomains(target_, &plan_));
  return MakeChange(target_, std::move(plan_), std::move(parts), options_);
}

}  // namespace sluice::tables
