// Ingests one CSV file of generate.py as a source's first batch and says what it cost: ingest_bench FILE FOLDER THREADS
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "ingest/ingest.h"

using namespace sluice;
using contract::DataType;
using contract::TypeKind;

namespace {

project::Source Orders() {
  project::Source source;
  source.name = "orders";
  source.contract.declared = true;
  const auto add = [&](const char* name, DataType type) {
    source.contract.columns.emplace_back();
    source.contract.columns.back().name = name;
    source.contract.columns.back().type = std::move(type);
  };
  add("order_id", DataType::Of(TypeKind::kString));
  add("customer_id", DataType::Of(TypeKind::kBigint));
  for (const char* name : {"customer_name", "email"}) add(name, DataType::Of(TypeKind::kString));
  add("order_date", DataType::Of(TypeKind::kDate));
  add("updated_at", DataType::Of(TypeKind::kTimestamp));
  add("total_amount", DataType::Decimal(12, 2));
  add("quantity", DataType::Of(TypeKind::kInteger));
  for (const char* name : {"status", "payment_method"}) add(name, DataType::Of(TypeKind::kString));
  source.contract.columns[0].not_null = true;
  source.contract.columns[6].min = "0";
  return source;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return fmt::print(stderr, "ingest_bench FILE FOLDER THREADS\n"), 2;
  const std::filesystem::path file = argv[1];
  const std::string folder = argv[2];
  std::filesystem::create_directories(folder + "/scratch");
  auto input = store::OpenLocalStore(file.parent_path().string());
  auto lake = store::OpenLocalStore(folder + "/lake", false);
  if (!input || !lake) return 1;
  const project::Source source = Orders();
  ingest::IngestRequest request;
  request.source = &source;
  request.bronze.root = "bronze/orders";
  request.quarantine.root = "quarantine/orders";
  request.batch.node = "bronze.orders";
  request.batch.run_id = "bench";
  request.files.emplace_back();
  request.files[0].object = *(*input)->Head(file.filename().string());
  ingest::Environment environment;
  environment.input = input->get();
  environment.lake = lake->get();
  environment.random = &SystemRandom();
  environment.budget = {512LL << 20, std::atoi(argv[3]), folder + "/scratch"};
  const auto start = std::chrono::steady_clock::now();
  const auto result = ingest::Ingest(request, environment);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!result) return fmt::print(stderr, "{}\n", result.error().ToString()), 1;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{:.3f} {} {:.3f}\n", seconds, usage.ru_maxrss / 1024,
             static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  return result->total.written > 0 && result->total.quarantined == 0 ? 0 : 1;
}
