#include "tables/tombstones.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tables/data_file_writer.h"
#include "tables/scan.h"

namespace sluice::tables {
namespace {

constexpr int64_t kKeptMillis = 90LL * 86'400'000;
constexpr size_t kMostFiles = 16;  // then they become one

Error Unreadable(const nlohmann::json::exception& error) {
  return delta::BadLog(fmt::format("the metadata domain {} cannot be read: {}", kTombstoneDomain, error.what()));
}

}  // namespace

Result<std::vector<std::string>> TombstoneFiles(const delta::DomainMetadata& domain) try {
  std::vector<std::string> paths;
  if (domain.removed) return paths;
  const auto json = nlohmann::json::parse(domain.configuration);
  for (const auto& file : json.at("files")) paths.push_back(file.at("path").get<std::string>());
  return paths;
} catch (const nlohmann::json::exception& error) {
  return Fail(Unreadable(error));
}

Result<Tombstones> Tombstones::Of(const TableTarget& target, const TablePlan& plan, std::vector<std::string> key,
                                  std::vector<std::string> sequence) {
  Tombstones out;
  out.root_ = target.store->Uri(target.root);
  out.key_ = std::move(key);
  out.sequence_ = std::move(sequence);
  for (const auto* names : {&out.key_, &out.sequence_})
    for (const std::string& name : *names) {
      if (out.schema_.Find(name) != nullptr) continue;
      out.schema_.fields.push_back({name, plan.schema.Find(name)->type});
    }
  if (!target.snapshot) return out;
  const auto domain = target.snapshot->domains.find(kTombstoneDomain);
  if (domain != target.snapshot->domains.end()) SLUICE_CHECK(out.Load(domain->second));
  return out;
}

Status Tombstones::Load(const delta::DomainMetadata& domain) try {
  const auto json = nlohmann::json::parse(domain.configuration);
  if (json.at("key") != key_ || json.at("sequence_by") != sequence_) return Ok();
  for (const auto& file : json.at("files")) files_.push_back({file.at("path").get<std::string>(), file.at("until").get<int64_t>()});
  return Ok();
} catch (const nlohmann::json::exception& error) {
  return Fail(Unreadable(error));
}

delta::DomainMetadata Tombstones::Render() const {
  nlohmann::json files = nlohmann::json::array();
  for (const File& file : files_) files.push_back({{"path", file.path}, {"until", file.until}});
  delta::DomainMetadata domain;
  domain.domain = kTombstoneDomain;
  domain.configuration = nlohmann::json{{"key", key_}, {"sequence_by", sequence_}, {"files", std::move(files)}}.dump();
  return domain;
}

std::string Tombstones::Relation() const {
  std::vector<std::string> paths, columns;
  for (const File& file : files_) paths.push_back(QuoteLiteral(EscapeGlob(root_ + "/" + file.path)));
  for (const contract::Field& field : schema_.fields)
    columns.push_back(fmt::format("CAST({0} AS {1}) AS {0}", QuoteIdentifier(field.name), field.type.ToDuckDb()));
  return fmt::format("(SELECT {} FROM read_parquet([{}]))", Join(columns, ", "), Join(paths, ", "));
}

Result<delta::DomainMetadata> Tombstones::Remember(const TableTarget& target, engines::Connection& connection, const std::string& select,
                                                   const StageOptions& options) {
  const int64_t now = ClockOf(options).Now().millis();
  std::erase_if(files_, [&](const File& file) { return file.until < now; });
  std::string rows = select;
  if (files_.size() >= kMostFiles) {
    rows = fmt::format("SELECT DISTINCT * FROM (({}) UNION ALL BY NAME FROM {})", select, Relation());
    files_.clear();
  }
  WriterOptions writer_options;
  writer_options.schema = schema_;
  writer_options.folder = kTombstoneFolder;
  writer_options.file_prefix = options.file_prefix;
  writer_options.scratch_dir = options.scratch_dir;
  writer_options.memory_bytes = options.memory_bytes;
  SLUICE_TRY(const auto writer, DataFileWriter::Open(*target.store, target.root, std::move(writer_options), RandomOf(options)));
  SLUICE_TRY(const auto reader, connection.Query(fmt::format("SELECT {} FROM ({})", Columns("", schema_.Names()), rows)));
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (!batch) break;
    SLUICE_CHECK(writer->Write(*batch));
  }
  SLUICE_TRY(const auto written, writer->Finish());
  for (const StagedFile& file : written) files_.push_back({file.add.path, now + kKeptMillis});
  return Render();
}

}  // namespace sluice::tables
