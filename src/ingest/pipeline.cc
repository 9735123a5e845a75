#include "ingest/pipeline.h"

#include <arrow/api.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "contract/arrow_types.h"
#include "core/profile.h"
#include "core/text.h"
#include "ingest/check_block.h"
#include "ingest/duplicates.h"
#include "ingest/held_rows.h"
#include "ingest/quarantine.h"
#include "ingest/sinks.h"
#include "ingest/sql_rules.h"

namespace sluice::ingest {
namespace {

constexpr int64_t kMostForBronze = 256LL << 20;  // bytes of rows that wait: more makes no file better by much
// Written at once: a refused record takes far more memory than a good one.
constexpr int64_t kQuarantineRows = 4096, kQuarantineBytes = 1 << 20;

// The first error of any thread; whoever waits looks at it.
class Failure {
 public:
  explicit Failure(const std::atomic<bool>* cancel) : cancel_(cancel) {}
  void Set(Error error) {
    const std::lock_guard lock(mutex_);
    if (!set_) error_ = std::move(error);
    set_ = true;
  }
  bool stopped() const { return set_ || (cancel_ != nullptr && *cancel_); }
  Status Take() {
    if (set_) return Fail(std::move(error_));
    if (stopped()) return Fail(CancelledError());
    return Ok();
  }

 private:
  const std::atomic<bool>* cancel_;
  std::mutex mutex_;
  std::atomic<bool> set_ = false;
  Error error_;
};

struct Item {
  uint64_t number = 0;  // of the block in the batch
  size_t file = 0;
  std::unique_ptr<formats::RawBlock> block;
};

// Hands out the blocks of all files. Thread-safe. In order, where one file is read at a time; else each thread has a file of its own until
// that is at its end.
class BlockFeed {
 public:
  struct OwnFile {
    std::unique_ptr<formats::RecordReader> reader;
    size_t file = 0;
  };

  explicit BlockFeed(const PipelineInput& input) : input_(input), formats_(input.files.size()) {}

  // nullopt: no more. `own` is the thread's.
  Result<std::optional<Item>> Next(OwnFile* own) { return input_.readers > 1 ? NextOfOwn(own) : NextInOrder(); }

  // Of a file that has been opened.
  std::string record_format(size_t file) {
    const std::lock_guard lock(mutex_);
    return formats_[file];
  }
  int64_t bytes_done() {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  Result<std::optional<Item>> NextOfOwn(OwnFile* own) {
    const StageTimer timer(Stage::kSplit);
    for (;;) {
      if (own->reader == nullptr) {
        {
          const std::lock_guard lock(mutex_);
          if (file_ == input_.files.size()) return std::nullopt;
          own->file = file_++;
        }
        SLUICE_TRY(OpenedFile opened, input_.open(own->file));
        own->reader = std::move(opened.reader);
        const std::lock_guard lock(mutex_);
        formats_[own->file] = std::move(opened.record_format);
      }
      SLUICE_TRY(auto block, own->reader->Next());
      const std::lock_guard lock(mutex_);
      if (block != nullptr) return Item{next_++, own->file, std::move(block)};
      own->reader = nullptr;
      bytes_ += input_.files[own->file].object.size;
    }
  }

  Result<std::optional<Item>> NextInOrder() {
    std::unique_lock lock(mutex_, std::defer_lock);
    {
      const StageTimer timer(Stage::kWait);
      lock.lock();
    }
    const StageTimer timer(Stage::kSplit);
    while (file_ < input_.files.size()) {
      if (reader_ == nullptr) {
        SLUICE_TRY(OpenedFile opened, input_.open(file_));
        reader_ = std::move(opened.reader);
        formats_[file_] = std::move(opened.record_format);
      }
      SLUICE_TRY(auto block, reader_->Next());
      if (block != nullptr) return Item{next_++, file_, std::move(block)};
      reader_ = nullptr;
      bytes_ += input_.files[file_++].object.size;
    }
    return std::nullopt;
  }

  const PipelineInput& input_;
  std::mutex mutex_;
  std::unique_ptr<formats::RecordReader> reader_;
  std::vector<std::string> formats_;
  size_t file_ = 0;
  uint64_t next_ = 0;
  int64_t bytes_ = 0;
};

// Lets blocks pass one at a time and in order.
class Turnstile {
 public:
  template <typename Body>
  Status Pass(uint64_t number, const Failure& failure, Body body) {
    std::unique_lock lock(mutex_);
    {
      const StageTimer timer(Stage::kWait);
      while (next_ != number && !failure.stopped()) moved_.wait_for(lock, std::chrono::milliseconds(50));
    }
    if (next_ != number) return Ok();  // another thread failed
    Status status = body();
    ++next_;
    moved_.notify_all();
    return status;
  }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  uint64_t next_ = 0;
};

std::vector<int> Positions(const contract::Schema& rows, const std::vector<std::string>& names) {
  std::vector<int> positions;
  for (const std::string& name : names) positions.push_back(rows.IndexOf(name));
  return positions;
}

std::vector<int> AllPositions(const contract::Schema& rows) {
  std::vector<int> positions(rows.fields.size());
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int>(i);
  return positions;
}

Status CheckKeys(const PipelineInput& input) {
  const auto known = [&](const std::vector<std::string>& names, const char* what) -> Status {
    for (const std::string& name : names) {
      if (input.rows.Find(name) != nullptr) continue;
      return Fail(UserError("unknown-column", std::string(what) + " names \"" + name + "\", which is no column of the contract" +
                                                  DidYouMean(name, input.rows.Names()))
                      .At(input.contract->where));
    }
    return Ok();
  };
  SLUICE_CHECK(known(input.contract->unique, "unique"));
  SLUICE_CHECK(known(input.source->deduplicate.key, "deduplicate"));
  return known(input.source->deduplicate.order_by, "deduplicate");
}

class Pipeline {
 public:
  Pipeline(const PipelineInput& input, const Environment& environment, contract::RowRules rules, Tally* tally)
      : input_(input),
        environment_(environment),
        rules_(std::move(rules)),
        tally_(*tally),
        feed_(input),
        failure_(environment.cancel),
        written_(contract::ToArrow(input.layout.written)),
        threads_(Threads()),
        bronze_(BronzeOptions()),
        quarantine_(QuarantineOptions()) {
    if (!input.contract->unique.empty()) {
      unique_.emplace(Positions(input.rows, input.contract->unique), AllPositions(input.rows), Join(input.contract->unique, ", "));
    }
    const auto& deduplicate = input.source->deduplicate;
    if (deduplicate.key.empty()) return;
    latest_.emplace(Positions(input.rows, deduplicate.key), Positions(input.rows, deduplicate.order_by));
    held_.emplace(environment.budget.scratch_dir, input.batch.file_prefix() + "-" + Hex(environment.random->Next()),
                  environment.budget.memory_bytes / 4, unique_.has_value());
  }

  Result<PipelineOutput> Run() {
    {
      std::vector<std::jthread> others;
      for (int i = 1; i < threads_; ++i) others.emplace_back([this, i] { Work(static_cast<size_t>(i)); });
      Work(0);
    }
    if (new_columns_) return PipelineOutput{{}, {}, true};
    SLUICE_CHECK(failure_.Take());
    const ProfileThread thread(environment_.profile);
    if (latest_) SLUICE_CHECK(ReleaseHeld());
    PipelineOutput output;
    SLUICE_CHECK(FinishFiles(&output));
    SLUICE_CHECK(CheckConservation());
    return output;
  }

 private:
  Status FinishFiles(PipelineOutput* output) {
    const StageTimer timer(Stage::kScatter);
    SLUICE_TRY(output->bronze, bronze_.Finish());
    SLUICE_TRY(output->quarantine, quarantine_.Finish());
    return Ok();
  }

  // What one thread keeps for itself.
  struct Worker {
    size_t slot;
    std::unique_ptr<SqlRules> sql;
    MetadataColumns metadata;
    QuarantineRows refused;
  };
  Worker MakeWorker(size_t slot) const {
    return {slot, nullptr, MetadataColumns(input_.batch, input_.source->name), QuarantineRows(input_.batch, input_.source->name)};
  }

  int Threads() const {
    // A second thread writes files of its own: worth it from a few megabytes on.
    constexpr int64_t kBytesPerThread = 8 << 20;
    int64_t bytes = 0;
    for (const InputFile& file : input_.files) bytes += file.object.size * (file.compression == formats::Compression::kNone ? 1 : 4);
    int most = std::max(1, environment_.budget.threads);
    if (input_.readers > 1) most = std::min(most, input_.readers);
    return static_cast<int>(std::clamp<int64_t>(bytes / kBytesPerThread, 1, most));
  }

  tables::WriterOptions WriterOptions(int64_t memory) const {
    tables::WriterOptions options;
    options.file_prefix = input_.batch.file_prefix();
    options.memory_bytes = memory;
    options.scratch_dir = environment_.budget.scratch_dir;
    return options;
  }
  TableSink::Options BronzeOptions() const {
    TableSink::Options options{environment_.lake, input_.bronze_root,
                               WriterOptions(std::min(environment_.budget.memory_bytes / 2, kMostForBronze)), environment_.random, 1};
    options.writer.schema = input_.layout.table;
    options.writer.partition_columns = input_.layout.partition_columns;
    options.writer.max_partitions = environment_.budget.max_partitions();
    options.writer.rules = input_.layout.rules;
    if (input_.layout.partition_columns.empty())
      options.slots = threads_;  // a file for each thread
    else
      options.writer.threads = threads_;  // each partition's file is for all
    return options;
  }
  TableSink::Options QuarantineOptions() const {
    TableSink::Options options{environment_.lake, input_.quarantine_root, WriterOptions(environment_.budget.memory_bytes / 8),
                               environment_.random, 1};
    options.writer.schema = QuarantineSchema();
    return options;
  }

  // Library exceptions end here: one thread's must not end the process.
  void Work(size_t slot) {
    const ProfileThread thread(environment_.profile);
    Status status;
    try {
      status = TakeBlocks(slot);
    } catch (const std::bad_alloc&) {
      status = Fail(RetryableError("out-of-memory", "not enough memory to ingest"));
    } catch (const std::exception& e) {
      status = Fail(BugError(std::string("ingest: ") + e.what()));
    }
    if (!status) failure_.Set(std::move(status).error());
  }

  Status TakeBlocks(size_t slot) {
    Worker worker = MakeWorker(slot);
    if (HasSql(*input_.contract)) {
      SLUICE_TRY(worker.sql, SqlRules::Open(*environment_.db, *input_.contract, input_.rows, environment_.parameters));
    }
    BlockFeed::OwnFile own;
    while (!failure_.stopped()) {
      SLUICE_TRY(auto item, feed_.Next(&own));
      if (!item) return Quarantine(worker);
      SLUICE_CHECK(Ingest(*item, worker));
    }
    return Ok();
  }

  Result<CheckedBlock> Checked(formats::RawBlock& raw, SqlRules* sql) const {
    formats::DecodedBatch decoded;
    {
      const StageTimer timer(Stage::kDecode);
      SLUICE_TRY(decoded, raw.Decode());
    }
    const StageTimer timer(Stage::kCheck);
    return CheckBlock(std::move(decoded), rules_, sql);
  }

  Status Ingest(const Item& item, Worker& worker) {
    SLUICE_TRY(CheckedBlock block, Checked(*item.block, worker.sql.get()));
    if (block.new_columns && input_.until_new_columns) {
      new_columns_ = true;
      return Fail(CancelledError());
    }
    std::vector<uint8_t> dropped(block.refused.size(), 0);
    if (latest_) {
      SLUICE_CHECK(turnstile_.Pass(item.number, failure_, [&] { return Hold(block, item.file); }));
      return WriteRefused(block, item.file, {.read = block.rows->num_rows()}, worker);
    }
    if (unique_) {
      SLUICE_CHECK(turnstile_.Pass(item.number, failure_, [&] { return unique_->Apply(&block, &dropped), Ok(); }));
    }
    SLUICE_CHECK(WriteKept(block, dropped, item.file, worker));
    return WriteRefused(block, item.file, {.read = block.rows->num_rows()}, worker);
  }

  Status Hold(const CheckedBlock& block, size_t file) {
    SLUICE_TRY(const auto rows, KeepRows(block.rows, block.refused));
    latest_->Observe(*rows);
    return held_->Add(block, file);
  }

  // After all rows were seen: each key's last row goes on.
  Status ReleaseHeld() {
    Worker worker = MakeWorker(0);
    uint64_t ordinal = 0;
    SLUICE_CHECK(held_->ForEach([&](CheckedBlock block, size_t file) -> Status {
      if (failure_.stopped()) return failure_.Take();
      std::vector<uint8_t> dropped = latest_->Losers(*block.rows, ordinal);
      ordinal += dropped.size();
      if (unique_) unique_->Apply(&block, &dropped);
      SLUICE_CHECK(WriteKept(block, dropped, file, worker));
      return WriteRefused(block, file, {}, worker);
    }));
    return Quarantine(worker);
  }

  Status WriteKept(const CheckedBlock& block, std::vector<uint8_t> dropped, size_t file, Worker& worker) {
    const StageTimer timer(Stage::kScatter);
    Counts counts;
    std::vector<int64_t> numbers(dropped.size());
    for (size_t row = 0; row < dropped.size(); ++row) {
      numbers[row] = block.RowNumber(static_cast<int64_t>(row));
      counts.deduplicated += dropped[row];
      dropped[row] |= block.refused[row];
      counts.written += 1 - dropped[row];
    }
    counts.warned = block.warned_rows();
    if (counts.written > 0) {
      SLUICE_TRY(const auto metadata, worker.metadata.For(NameOf(file), std::move(numbers)));
      SLUICE_CHECK(bronze_.Write(worker.slot, *Arrange(input_.layout, written_, *block.rows, metadata), std::move(dropped)));
    }
    tally_.AddCounts(file, counts);
    return Ok();
  }

  Status WriteRefused(const CheckedBlock& block, size_t file, Counts counts, Worker& worker) {
    const StageTimer timer(Stage::kRefuse);
    counts.quarantined = block.refused_rows;
    const std::string format = block.refused_rows > 0 ? feed_.record_format(file) : "";
    size_t v = 0;
    for (size_t row = 0; row < block.refused.size() && block.refused_rows > 0; ++row) {
      while (v < block.violations.size() && block.violations[v].row < static_cast<int64_t>(row)) ++v;
      if (block.refused[row] == 0) continue;
      const auto at = static_cast<int64_t>(row);
      RefusedRecord record{QuarantineId(input_.batch, file, block.RowNumber(at)), block.raw(at), block.place(at), {}};
      for (; v < block.violations.size() && block.violations[v].row == at; ++v) {
        if (!block.violations[v].warn) record.violations.push_back(block.violations[v]);
      }
      SLUICE_CHECK(worker.refused.Add(record, NameOf(file), format));
      if (worker.refused.rows() >= kQuarantineRows || worker.refused.bytes() >= kQuarantineBytes) SLUICE_CHECK(Quarantine(worker));
    }
    tally_.AddViolations(file, block);
    tally_.AddCounts(file, counts);
    Report();
    return Ok();
  }

  // What waits for it.
  Status Quarantine(Worker& worker) {
    const StageTimer timer(Stage::kRefuse);
    SLUICE_TRY(const auto rows, worker.refused.Take());
    return quarantine_.Write(0, *rows);
  }

  void Report() {
    if (!environment_.progress) return;
    const Counts total = tally_.total();
    const int64_t bytes = feed_.bytes_done();
    const std::lock_guard lock(progress_mutex_);
    environment_.progress({bytes, total.read, total.quarantined});
  }

  // The law of ingest: what the readers gave is what the writers took.
  Status CheckConservation() const {
    const Counts total = tally_.total();
    if (total.conserved() && bronze_.rows_written() == total.written && quarantine_.rows_written() == total.quarantined) return Ok();
    return Fail(BugError("records do not add up: " + std::to_string(total.read) + " read, " + std::to_string(bronze_.rows_written()) +
                         " written, " + std::to_string(quarantine_.rows_written()) + " quarantined, " + std::to_string(total.deduplicated) +
                         " deduplicated; nothing is committed"));
  }

  const std::string& NameOf(size_t file) const {
    const InputFile& input = input_.files[file];
    return input.name.empty() ? input.object.key : input.name;
  }

  const PipelineInput& input_;
  const Environment& environment_;
  const contract::RowRules rules_;
  Tally& tally_;
  BlockFeed feed_;
  Failure failure_;
  Turnstile turnstile_;
  std::shared_ptr<arrow::Schema> written_;
  int threads_;
  TableSink bronze_, quarantine_;
  std::optional<UniqueKeys> unique_;  // under the turnstile
  std::optional<LatestRows> latest_;  // under the turnstile
  std::optional<HeldRows> held_;      // under the turnstile
  std::mutex progress_mutex_;
  std::atomic<bool> new_columns_ = false;
};

}  // namespace

Result<PipelineOutput> RunPipeline(const PipelineInput& input, const Environment& environment, Tally* tally) {
  SLUICE_CHECK(CheckKeys(input));
  SLUICE_TRY(auto rules, contract::RowRules::Compile(*input.contract));
  if (HasSql(*input.contract) && environment.db == nullptr) return Fail(BugError("the contract has SQL rules, and no engine was given"));
  return Pipeline(input, environment, std::move(rules), tally).Run();
}

}  // namespace sluice::ingest
