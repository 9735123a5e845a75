// How fast are data files written? The same rows from DuckDB, once through tables::DataFileWriter into a Delta table, once through
// DuckDB's own COPY … TO Parquet. Usage: data_files FOLDER ROWS PARTITIONS REPEATS
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "engines/duckdb.h"
#include "store/object_store.h"
#include "tables/change.h"

namespace {

using namespace sluice;

template <typename T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return *std::move(result);
}

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

std::string Rows(int64_t rows, int64_t partitions) {
  return fmt::format(
      "SELECT range AS order_id, 'CUST' || lpad((hash(range) % 50000)::VARCHAR, 6, '0') AS customer_id, 'user' || (hash(range + 1) % "
      "90000) || '@example.com' AS email, "
      "DATE '2020-01-01' + (hash(range + 2) % 1500)::INTEGER AS order_date, ((hash(range + 3) % 100000)::BIGINT / 100)::DECIMAL(12,2) AS "
      "amount, "
      "['completed', 'pending', 'cancelled'][1 + (hash(range + 4) % 3)::BIGINT] AS status, (hash(range + 5) % 1000)::DOUBLE / 7 AS score, "
      "(hash(range + 6) % {})::INTEGER AS part FROM range({})",
      partitions, rows);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: data_files FOLDER ROWS PARTITIONS REPEATS\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    const int64_t rows = std::atoll(argv[2]), partitions = std::atoll(argv[3]);
    std::filesystem::create_directories(folder / "scratch");
    engines::DuckDbOptions one;
    one.threads = 1;
    const auto db = Must(engines::DuckDb::Open(one));
    const auto connection = Must(db->Connect());
    Must(connection->Scalar(fmt::format("CREATE TABLE rows AS {}", Rows(rows, std::max<int64_t>(1, partitions)))));
    const auto table = Must(connection->Query("SELECT * FROM rows"))->ToTable().ValueOrDie();
    const int64_t before = PeakBytes();
    std::vector<double> ours, theirs;
    for (int i = 0; i < std::atoi(argv[4]); ++i) {
      std::filesystem::remove_all(folder / "lake");
      std::filesystem::remove_all(folder / "copy");
      const auto store = Must(store::OpenStore((folder / "lake").string()));
      tables::TableTarget target;
      target.store = store.get();
      target.root = "bench/orders";
      target.name = "bench.orders";
      target.schema = {
          Must(contract::ParseType("struct<order_id: bigint, customer_id: string, email: string, order_date: date, amount: decimal(12,2), "
                                   "status: string, score: double, part: integer>"))
              .children};
      if (partitions > 0) target.partition_by = {"part"};
      tables::StageOptions options;
      options.file_prefix = "bench.orders-1.1";
      options.scratch_dir = (folder / "scratch").string();
      ours.push_back(Seconds([&] {
        arrow::TableBatchReader reader(*table);
        const auto change = Must(tables::StageAppend(target, reader, options));
        Must(delta::Commit(*store, target.root, change.commit, {.commit_id = "bench", .now = SystemClock().Now()}, SystemClock()));
      }));
      const std::string copy =
          fmt::format("COPY rows TO '{}' (FORMAT parquet{})", (folder / "copy").string(), partitions > 0 ? ", PARTITION_BY (part)" : "");
      theirs.push_back(Seconds([&] { Must(connection->Scalar(copy)); }));
    }
    fmt::print(
        "rows {} partitions {}: DataFileWriter {:.2f} s, DuckDB COPY on one thread {:.2f} s, ratio {:.2f}; peak {} MiB, of which the rows "
        "{} MiB\n",
        rows, partitions, Median(ours), Median(theirs), Median(theirs) / Median(ours), PeakBytes() >> 20, before >> 20);
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
