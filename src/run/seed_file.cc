#include "run/seed_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "core/text.h"
#include "formats/bytes.h"
#include "sources/files/dialect.h"
#include "store/object_store.h"

namespace sluice::run {
namespace {

constexpr size_t kSample = 256 << 10;

Error BadSeed(const project::Seed& seed, int64_t line, const std::string& why, const std::string& hint) {
  return UserError("bad-seed", "this seed cannot be read: " + why).At({seed.where.file, static_cast<int>(line), 1}).Hint(hint);
}

// A seed has a header, and nobody says how it is written: what is not sure is a comma, and one column is nothing odd.
Result<formats::CsvDialect> DialectOf(const formats::ReadRequest& request) {
  SLUICE_TRY(const formats::Sample sample, formats::ReadSample(request, kSample));
  SLUICE_TRY(const std::string encoding, sources::DetectEncoding({sample.bytes, sample.whole, "", request.key, nullptr}));
  if (!encoding.empty())
    return Fail(UserError("bad-seed", fmt::format("{} is {}; a seed is UTF-8", request.key, encoding)).Hint("save it as UTF-8"));
  sources::CsvPins pins;
  pins.header = true;
  if (auto detected = sources::DetectDialect({sample.bytes, sample.whole, pins, {}, request.key, nullptr})) return detected;
  return formats::CsvDialect{};
}

Status CheckNames(const project::Seed& seed, const formats::ReadRequest& request, const formats::CsvDialect& dialect,
                  contract::Contract* contract) {
  SLUICE_TRY(const auto names, formats::ReadCsvHeader(request, dialect, true));
  const std::string rename = "a seed is UTF-8 CSV with a header line that names each column once";
  const int64_t line = 1 + dialect.skip;
  if (names.empty()) return Fail(BadSeed(seed, 1, "it is empty", rename));
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (name.empty()) return Fail(BadSeed(seed, line, "a column has no name", rename));
    if (!seen.insert(ToLower(name)).second) return Fail(BadSeed(seed, line, fmt::format("\"{}\" names two columns", name), rename));
    contract::ColumnContract column;
    column.name = name;
    column.type = contract::DataType::Of(contract::TypeKind::kString);
    contract->columns.push_back(std::move(column));
  }
  return Ok();
}

Status CheckRecords(const project::Seed& seed, const formats::ReadRequest& request, const formats::CsvDialect& dialect) {
  SLUICE_TRY(const auto reader, formats::OpenCsv(request, dialect));
  for (;;) {
    SLUICE_TRY(const auto block, reader->Next());
    if (block == nullptr) return Ok();
    SLUICE_TRY(const formats::DecodedBatch batch, block->Decode());
    if (batch.violations.empty()) continue;
    const contract::Violation& first = batch.violations.front();
    return Fail(BadSeed(seed, batch.place(first.row).line, first.message, "mend the line: a seed has no quarantine"));
  }
}

Result<formats::CsvDialect> Check(const project::Seed& seed, store::ObjectStore& store, const std::string& key) {
  contract::Contract contract;
  const formats::ReadRequest request{&store, key, formats::Compression::kNone, &contract, {}};
  SLUICE_TRY(const formats::CsvDialect dialect, DialectOf(request));
  SLUICE_CHECK(CheckNames(seed, request, dialect, &contract));
  SLUICE_CHECK(CheckRecords(seed, request, dialect));
  return dialect;
}

}  // namespace

Result<formats::CsvDialect> CheckSeedFile(const project::Seed& seed) {
  const std::filesystem::path path(seed.file);
  SLUICE_TRY(const auto store, store::OpenStore(path.parent_path().string()));
  auto checked = Check(seed, *store, path.filename().string());
  if (checked || checked.error().kind == ErrorKind::kUser) return checked;
  const Error& error = checked.error();
  if (error.code == "not-found") return Fail(UserError("unreadable-seed", "can't read " + seed.where.file).At(seed.where));
  return Fail(BadSeed(seed, 1, error.message, error.hint));
}

}  // namespace sluice::run
