// One writer of many: appends COUNT times ROWS rows to a table, whose log other processes write too. A checkpoint is due every tenth
// version, and is written by whoever committed it. append_bench LAKE TABLE COUNT ROWS WRITER
// The first writer to come makes the table. Prints a line for each commit: version, seconds of the day when it began, milliseconds until it
// was there, milliseconds of the checkpoint after it (0: none was due).
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "store/object_store.h"
#include "tables/change.h"

namespace {

using namespace sluice;
using Moment = std::chrono::steady_clock::time_point;

constexpr int kTries = 10000;
constexpr int64_t kCheckpointEvery = 10;

template <typename T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return *std::move(result);
}

double Milliseconds(Moment from, Moment to) { return std::chrono::duration<double, std::milli>(to - from).count(); }

std::shared_ptr<arrow::RecordBatchReader> Rows(int64_t first, int64_t rows) {
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  for (int64_t i = 0; i < rows; ++i)
    if (!ids.Append(first + i).ok() || !names.Append(fmt::format("name {}", first + i)).ok()) throw std::runtime_error("out of memory");
  const auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
  const auto batch = arrow::RecordBatch::Make(schema, rows, {ids.Finish().ValueOrDie(), names.Finish().ValueOrDie()});
  return arrow::RecordBatchReader::Make({batch}, schema).ValueOrDie();
}

class Writer {
 public:
  Writer(const std::string& lake, std::string table, int number) : store_(Must(store::OpenLocalStore(lake))), number_(number) {
    target_.store = store_.get();
    target_.root = target_.name = std::move(table);
    target_.schema = {Must(contract::ParseType("struct<id: bigint, name: string>")).children};
    options_.file_prefix = fmt::format("w{}", number);
    options_.scratch_dir = lake;
  }

  void Append(int64_t n, int64_t rows) {
    const auto begin = std::chrono::steady_clock::now();
    target_.snapshot = target_.snapshot ? Must(delta::Refresh(*store_, target_.root, *target_.snapshot)) : Loaded();
    const int64_t version = Commit(*Rows((number_ * 1'000'000LL + n) * rows, rows), n);
    const auto there = std::chrono::steady_clock::now();
    double checkpoint = 0;
    if (version > 0 && version % kCheckpointEvery == 0) {
      target_.snapshot = Must(delta::Refresh(*store_, target_.root, *target_.snapshot));
      if (auto done = delta::WriteCheckpoint(*store_, target_.root, *target_.snapshot, clock_); !done)
        throw std::runtime_error(done.error().ToString());
      checkpoint = Milliseconds(there, std::chrono::steady_clock::now());
    }
    fmt::print("{} {:.6f} {:.3f} {:.3f}\n", version, std::chrono::duration<double>(begin.time_since_epoch()).count(),
               Milliseconds(begin, there), checkpoint);
  }

 private:
  std::optional<delta::Snapshot> Loaded() {
    auto snapshot = delta::LoadSnapshot(*store_, target_.root);
    return snapshot ? std::optional(*std::move(snapshot)) : std::nullopt;
  }

  int64_t Commit(arrow::RecordBatchReader& rows, int64_t n) {
    const auto change = Must(tables::StageAppend(target_, rows, options_));
    delta::CommitStamp stamp;
    stamp.commit_id = fmt::format("{}-{}", number_, n);
    stamp.now = clock_.Now();
    stamp.engine_info = "sluice/bench";
    const auto outcome = Must(delta::Commit(*store_, target_.root, change.commit, stamp, clock_, delta::Isolation::kSerializable, kTries));
    if (const auto* done = std::get_if<delta::Committed>(&outcome)) return done->version;
    throw std::runtime_error("an append met a conflict: " + std::get<delta::Conflicted>(outcome).with.what);
  }

  std::unique_ptr<store::ObjectStore> store_;
  const int number_;
  Clock& clock_ = SystemClock();
  tables::TableTarget target_;
  tables::StageOptions options_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 6) throw std::runtime_error("usage: append_bench LAKE TABLE COUNT ROWS WRITER");
  Writer writer(argv[1], argv[2], std::atoi(argv[5]));
  for (int64_t n = 0; n < std::atoll(argv[3]); ++n) writer.Append(n, std::atoll(argv[4]));
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
