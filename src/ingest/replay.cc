#include "ingest/replay.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"
#include "core/text.h"
#include "formats/fixed.h"
#include "formats/ndjson.h"
#include "ingest/check_block.h"
#include "ingest/duplicates.h"
#include "ingest/held_rows.h"
#include "ingest/layout.h"
#include "ingest/open_records.h"
#include "ingest/sinks.h"
#include "ingest/tally.h"
#include "tables/conform.h"
#include "tables/generated.h"

namespace sluice::ingest {
namespace {

// Records that are read together: same format, same file.
struct Group {
  std::vector<const OpenRecord*> records;
  std::vector<std::string> texts;  // with the edits made
  std::vector<bool> cut;           // only the beginning of a record that was too long
};

std::vector<Group> GroupByFile(const std::vector<OpenRecord>& records, const std::map<std::string, std::string>& edits) {
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const OpenRecord& record : records) {
    Group& group = groups[{record.file, record.format}];
    const auto edit = edits.find(record.id);
    group.records.push_back(&record);
    group.texts.push_back(edit != edits.end() ? edit->second : record.raw);
    group.cut.push_back(edit == edits.end() && record.cut);
  }
  std::vector<Group> out;
  for (auto& [key, group] : groups) out.push_back(std::move(group));
  return out;
}

char OneByte(const nlohmann::json& json, const char* key) {
  const std::string text = json.value(key, "");
  return text.empty() ? '\0' : text[0];
}

// One line per record: what a line cannot hold becomes a blank, and `blank` stands for a record of nothing else.
std::string LinesOf(const std::vector<std::string>& texts, const char* blank) {
  std::string lines;
  for (std::string text : texts) {
    std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    if (Trim(text).empty()) text = blank;  // a blank line would be no record
    lines += text + "\n";
  }
  return lines;
}

formats::FixedOptions FixedOptionsOf(const nlohmann::json& json) {
  formats::FixedOptions options;
  options.pad = json.value("pad", false);
  for (const auto& field : json.value("fields", nlohmann::json::array()))
    if (field.is_array() && field.size() == 3)
      options.fields.push_back({field[0].get<std::string>(), field[1].get<int64_t>(), field[2].get<int64_t>()});
  return options;
}

// The group's records as blocks; `memory` holds what the reader reads.
Result<std::unique_ptr<formats::RecordReader>> OpenGroup(const Group& group, formats::ReadRequest* request, store::ObjectStore& memory) {
  const auto json = nlohmann::json::parse(group.records.front()->format, nullptr, false);
  if (json.is_discarded()) return Fail(BugError("a quarantine row whose format cannot be read: " + group.records.front()->format));
  const std::string format = json.value("format", "");
  if (format != "csv") {
    const bool fixed = format == "fixed";
    request->store = &memory;
    request->key = "replay-" + group.records.front()->id;
    SLUICE_CHECK(memory.Put(request->key, LinesOf(group.texts, fixed ? "?" : "null")));
    if (!fixed) return formats::OpenNdjson(*request);
    request->options.fixed = FixedOptionsOf(json);
    return formats::OpenFixed(*request);
  }
  formats::CsvDialect dialect;
  const std::string delimiter = json.value("delimiter", "");
  dialect.delimiter = delimiter.empty() ? '\0' : delimiter[0];
  dialect.delimiter_rest = delimiter.empty() ? "" : delimiter.substr(1);
  dialect.quote = OneByte(json, "quote");
  dialect.escape = OneByte(json, "escape");
  dialect.comment = OneByte(json, "comment");
  dialect.header = json.contains("header");
  return formats::OpenCsvRecords(*request, dialect, json.value("header", std::vector<std::string>{}), group.texts);
}

// The beginning of a record may look like a whole one: it must not pass for it.
void RefuseCut(const Group& group, size_t first, formats::DecodedBatch* batch) {
  for (int64_t row = 0; row < batch->rows->num_rows(); ++row) {
    const size_t at = first + static_cast<size_t>(row);
    if (at >= group.cut.size() || !group.cut[at]) continue;
    std::erase_if(batch->violations, [row](const contract::Violation& v) { return v.row == row; });
    batch->violations.push_back({row, "", "length", contract::CutValue(group.texts[at]),
                                 "only the beginning of the record was kept: edit it, or deliver it again in shorter records", false});
  }
  std::stable_sort(batch->violations.begin(), batch->violations.end(),
                   [](const contract::Violation& a, const contract::Violation& b) { return a.row < b.row; });
}

class Replayer {
 public:
  Replayer(const ReplayRequest& request, const Environment& environment, engines::Connection& connection)
      : request_(request), environment_(environment), connection_(connection), contract_(request.source->contract) {}

  Result<ReplayResult> Run() {
    SLUICE_TRY(const auto records, SelectOpen(connection_, *environment_.lake, request_.quarantine, request_.ids, request_.where));
    ReplayResult result;
    result.selected = static_cast<int64_t>(records.size());
    SLUICE_CHECK(RequireEdited(records));
    SLUICE_CHECK(Prepare(records));
    std::vector<Outcome> outcomes;
    for (size_t g = 0; g < groups_.size(); ++g) SLUICE_CHECK(ReplayGroup(g, &result, &outcomes));
    if (result.selected != result.replayed + result.refused) {
      return Fail(BugError(fmt::format("replay: {} records selected, {} replayed, {} refused; nothing is committed", result.selected,
                                       result.replayed, result.refused)));
    }
    SLUICE_CHECK(FinishBronze(&result));
    SLUICE_TRY(result.quarantine, RewriteQuarantine(connection_, environment_, request_.quarantine, request_.batch, outcomes));
    result.rules = tally_->rules();
    return result;
  }

 private:
  Status RequireEdited(const std::vector<OpenRecord>& records) const {
    for (const auto& [id, text] : request_.edits) {
      if (std::any_of(records.begin(), records.end(), [&](const OpenRecord& r) { return r.id == id; })) continue;
      return Fail(
          UserError("no-such-quarantine-row", fmt::format("the edited row \"{}\" is not among the open ones that were selected", id)));
    }
    return Ok();
  }

  Status Prepare(const std::vector<OpenRecord>& records) {
    groups_ = GroupByFile(records, request_.edits);
    read_.contract = &contract_;
    read_.store = nullptr;
    // A file's missing columns were accepted or the record would not be here; columns it had beyond the contract stay ignored.
    contract_.on_missing_column = contract::OnMissingColumn::kNull;
    if (request_.bronze.snapshot != nullptr) {
      for (const contract::Field& field : request_.bronze.snapshot->schema.fields) {
        const bool own = !tables::IsGenerated(field) && !contract::IsMetadataColumn(field.name);
        if (own && read_.schema().Find(field.name) == nullptr && contract_.on_new_column == contract::OnNewColumn::kEvolve) {
          read_.extra.push_back({field.name, field.type, true, {}});
        }
      }
    }
    rows_ = read_.schema();
    SLUICE_TRY(layout_, PlanLayout(request_.batch.node, contract_, rows_, request_.source->partition_by, request_.bronze.snapshot));
    written_ = contract::ToArrow(layout_.written);
    SLUICE_TRY(auto rules, contract::RowRules::Compile(contract_));
    rules_ = std::move(rules);
    if (HasSql(contract_)) {
      SLUICE_TRY(sql_, SqlRules::Open(*environment_.db, contract_, rows_, environment_.parameters));
    }
    std::vector<InputFile> files;
    for (const Group& group : groups_) {
      files.emplace_back();
      files.back().name = group.records.front()->file;
    }
    tally_.emplace(contract_, files);
    TableSink::Options options{environment_.lake, request_.bronze.root, {}, environment_.random, 1};
    options.writer.schema = layout_.table;
    options.writer.max_partitions = environment_.budget.max_partitions();
    options.writer.partition_columns = layout_.partition_columns;
    options.writer.rules = layout_.rules;
    options.writer.file_prefix = request_.batch.file_prefix();
    options.writer.memory_bytes = environment_.budget.memory_bytes / 2;
    options.writer.scratch_dir = environment_.budget.scratch_dir;
    bronze_.emplace(std::move(options));
    return PrepareUnique(records);
  }

  // `unique` holds within the batch that a record came with: what that batch wrote counts as seen.
  Status PrepareUnique(const std::vector<OpenRecord>& records) {
    if (contract_.unique.empty()) return Ok();
    std::vector<int> key, content;
    for (const std::string& name : contract_.unique) key.push_back(rows_.IndexOf(name));
    for (size_t i = 0; i < rows_.fields.size(); ++i) content.push_back(static_cast<int>(i));
    unique_.emplace(key, content, Join(contract_.unique, ", "));
    if (request_.bronze.snapshot == nullptr || records.empty()) return Ok();
    std::set<int64_t> batches;
    for (const OpenRecord& record : records) batches.insert(record.batch);
    std::vector<std::string> numbers, columns;
    for (const int64_t batch : batches) numbers.push_back(std::to_string(batch));
    for (const contract::Field& field : rows_.fields) {
      const bool known = request_.bronze.snapshot->schema.Find(field.name) != nullptr;
      columns.push_back(known ? QuoteIdentifier(field.name) : "CAST(NULL AS " + field.type.ToDuckDb() + ")");
    }
    SLUICE_TRY(const auto scan, tables::ScanFor(*environment_.lake, request_.bronze.root, *request_.bronze.snapshot));
    SLUICE_TRY(auto reader, connection_.Query(fmt::format("SELECT {} FROM {} AS t WHERE _batch_id IN ({})", Join(columns, ", "), scan.sql,
                                                          Join(numbers, ", "))));
    const auto wanted = contract::ToArrow(rows_);
    for (;;) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
      if (batch == nullptr) return Ok();
      CheckedBlock seen;
      SLUICE_TRY(seen.rows, tables::Conform(*batch, wanted));
      seen.refused.assign(static_cast<size_t>(seen.rows->num_rows()), 0);
      std::vector<uint8_t> dropped(seen.refused.size(), 0);
      unique_->Apply(&seen, &dropped);
    }
  }

  Status ReplayGroup(size_t g, ReplayResult* result, std::vector<Outcome>* outcomes) {
    const Group& group = groups_[g];
    const auto memory = store::NewMemoryStore(SystemClock());
    formats::ReadRequest read = read_;
    SLUICE_TRY(const auto reader, OpenGroup(group, &read, *memory));
    size_t next = 0;
    for (;;) {
      SLUICE_TRY(const auto raw, reader->Next());
      if (raw == nullptr) break;
      SLUICE_TRY(auto decoded, raw->Decode());
      RefuseCut(group, next, &decoded);
      SLUICE_TRY(CheckedBlock block, CheckBlock(std::move(decoded), *rules_, sql_.get()));
      const size_t first = next;
      next += block.refused.size();
      if (next > group.records.size()) break;
      block.first_row = 0;
      block.place = [&group, first](int64_t row) { return group.records[first + static_cast<size_t>(row)]->place; };
      SLUICE_CHECK(ReplayBlock(g, first, std::move(block), result, outcomes));
    }
    if (next == group.records.size()) return Ok();
    return Fail(BugError(fmt::format("replay: {} records of {} were read as {}", group.records.size(), group.records.front()->file, next)));
  }

  Status ReplayBlock(size_t g, size_t first, CheckedBlock block, ReplayResult* result, std::vector<Outcome>* outcomes) {
    const Group& group = groups_[g];
    std::vector<uint8_t> dropped(block.refused.size(), 0);
    if (unique_) unique_->Apply(&block, &dropped);
    std::vector<int64_t> numbers;
    for (size_t row = 0; row < block.refused.size(); ++row) {
      const OpenRecord& record = *group.records[first + row];
      if (block.refused[row] != 0) {
        ++result->refused;
        outcomes->push_back({&record, "open", ViolationsOf(block, static_cast<int64_t>(row))});
        dropped[row] = 1;
        continue;
      }
      ++result->replayed;
      result->duplicates += dropped[row];
      outcomes->push_back({&record, "replayed", {}});
      if (dropped[row] == 0) numbers.push_back(record.place.row);
    }
    tally_->AddViolations(g, block);
    SLUICE_TRY(const auto kept, KeepRows(block.rows, dropped));
    MetadataColumns metadata(request_.batch, request_.source->name);
    SLUICE_TRY(const auto columns, metadata.For(group.records.front()->file, std::move(numbers)));
    return bronze_->Write(0, *Arrange(layout_, written_, *kept, columns));
  }

  static std::vector<contract::Violation> ViolationsOf(const CheckedBlock& block, int64_t row) {
    std::vector<contract::Violation> violations;
    std::copy_if(block.violations.begin(), block.violations.end(), std::back_inserter(violations),
                 [row](const contract::Violation& v) { return v.row == row && !v.warn; });
    return violations;
  }

  Status FinishBronze(ReplayResult* result) {
    StagedTable& staged = result->bronze;
    staged.root = request_.bronze.root;
    staged.schema = layout_.table;
    staged.partition_columns = layout_.partition_columns;
    SLUICE_TRY(staged.files, bronze_->Finish());
    if (bronze_->rows_written() != result->replayed - result->duplicates) {
      return Fail(BugError(fmt::format("replay: {} records pass, {} were written; nothing is committed",
                                       result->replayed - result->duplicates, bronze_->rows_written())));
    }
    // A replay that moves no row leaves the table as it is, whatever the contract wants of its schema.
    staged.schema_changed = layout_.schema_changed && !staged.files.empty();
    if (staged.schema_changed) staged.widened = layout_.widened;
    return Ok();
  }

  const ReplayRequest& request_;
  const Environment& environment_;
  engines::Connection& connection_;
  contract::Contract contract_;
  std::vector<Group> groups_;
  formats::ReadRequest read_;
  contract::Schema rows_;
  Layout layout_;
  std::shared_ptr<arrow::Schema> written_;
  std::optional<contract::RowRules> rules_;
  std::unique_ptr<SqlRules> sql_;
  std::optional<UniqueKeys> unique_;
  std::optional<Tally> tally_;
  std::optional<TableSink> bronze_;
};

}  // namespace

Result<ReplayResult> Replay(const ReplayRequest& request, const Environment& environment) {
  if (environment.db == nullptr) return Fail(BugError("replay needs the engine"));
  SLUICE_TRY(const auto connection, environment.db->Connect());
  auto result = Replayer(request, environment, *connection).Run();
  if (!result) {
    DeleteStaged(*environment.lake, request.bronze.root, request.batch.file_prefix());
    DeleteStaged(*environment.lake, request.quarantine.root, request.batch.file_prefix());
  }
  return result;
}

Result<ReplayResult> Discard(const DiscardRequest& request, const Environment& environment) {
  if (environment.db == nullptr) return Fail(BugError("discard needs the engine"));
  SLUICE_TRY(const auto connection, environment.db->Connect());
  SLUICE_TRY(const auto records, SelectOpen(*connection, *environment.lake, request.quarantine, request.ids, request.where));
  ReplayResult result;
  result.selected = static_cast<int64_t>(records.size());
  std::vector<Outcome> outcomes;
  for (const OpenRecord& record : records) outcomes.push_back({&record, "discarded", {}});
  auto staged = RewriteQuarantine(*connection, environment, request.quarantine, request.batch, outcomes);
  if (!staged) {
    DeleteStaged(*environment.lake, request.quarantine.root, request.batch.file_prefix());
    return Fail(std::move(staged).error());
  }
  result.quarantine = std::move(*staged);
  return result;
}

}  // namespace sluice::ingest
