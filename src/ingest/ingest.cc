#include "ingest/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "ingest/gates.h"
#include "ingest/open_reader.h"
#include "ingest/open_records.h"
#include "ingest/pipeline.h"
#include "ingest/quarantine.h"
#include "ingest/sinks.h"
#include "ingest/sql_rules.h"
#include "tables/change.h"

namespace sluice::ingest {
namespace {

// One pass over the files with one contract.
struct Attempt {
  PipelineInput input;
  std::vector<std::string> hashes;  // of the files' contents, as they are read
  std::vector<contract::Field> extra;
};

// For the texts that no one looks at but rules and writers.
std::vector<std::shared_ptr<contract::TextDictionary>> Dictionaries(const IngestRequest& request, const contract::Contract& contract,
                                                                    const PipelineInput& input) {
  constexpr int kMost = 64;  // columns; each may take 336 KiB, touched as it fills
  if (!contract.unique.empty() || !request.source->deduplicate.key.empty() || HasSql(contract)) return {};
  std::vector<std::shared_ptr<contract::TextDictionary>> dictionaries(input.rows.fields.size());
  int made = 0;
  for (size_t i = 0; i < dictionaries.size() && made < kMost; ++i) {
    const bool filled = i < contract.columns.size() && contract.columns[i].default_value;
    if (input.rows.fields[i].type.kind != contract::TypeKind::kString || filled) continue;
    dictionaries[i] = std::make_shared<contract::TextDictionary>();
    ++made;
  }
  return dictionaries;
}

// The splits as the files that the pipeline counts by.
std::vector<InputFile> FilesOf(const std::vector<sources::RowSplit>& splits) {
  std::vector<InputFile> files;
  for (const sources::RowSplit& split : splits) {
    files.emplace_back();
    files.back().name = split.name;
    files.back().object.size = split.bytes;
  }
  return files;
}

const std::vector<InputFile>& InputsOf(const IngestRequest& request, const Attempt& attempt) {
  return request.rows ? attempt.input.files : request.files;
}

// How a split is opened. Which row of a key came first only the order of one reader tells.
void ReadRows(const IngestRequest& request, const contract::Contract& contract, const formats::ReadRequest& read, PipelineInput* input) {
  const bool ordered = !contract.unique.empty() || !request.source->deduplicate.key.empty();
  input->readers = ordered ? 1 : request.rows->source->max_readers();
  input->open = [&request, read](size_t split) -> Result<OpenedFile> {
    OpenedFile opened;
    SLUICE_TRY(opened.reader, request.rows->source->Read(request.rows->splits[split], read));
    opened.record_format = RecordFormat(request.source->read.format, {}, {}, {});
    return opened;
  };
}

Result<std::unique_ptr<Attempt>> Prepare(const IngestRequest& request, const contract::Contract& contract, store::ObjectStore* store,
                                         const Budget& budget, bool look_at_records) {
  auto attempt = std::make_unique<Attempt>();
  PipelineInput& input = attempt->input;
  input.source = request.source;
  input.contract = &contract;
  input.files = request.rows ? FilesOf(request.rows->splits) : request.files;
  input.batch = request.batch;
  input.bronze_root = request.bronze.root;
  input.quarantine_root = request.quarantine.root;
  SLUICE_TRY(attempt->extra, ExtraColumns(request, contract, store, budget, look_at_records));
  input.until_new_columns = !request.rows && !look_at_records && contract.on_new_column == contract::OnNewColumn::kEvolve &&
                            ColumnsAreInRecords(request.source->read.format);
  formats::ReadRequest read{store, "", formats::Compression::kNone, &contract, attempt->extra};
  read.max_record_bytes = budget.max_record_bytes();
  read.options = request.source->read.options;
  read.scratch_dir = budget.scratch_dir;
  input.rows = read.schema();
  SLUICE_CHECK(CheckColumns(input.rows.fields.size(), budget, request.source->read.files, contract.where));
  SLUICE_TRY(input.layout, PlanLayout(request.batch.node, contract, input.rows, request.source->partition_by, request.kept_bronze()));
  if (request.bronze.snapshot != nullptr && request.kept_bronze() == nullptr) {  // made anew in its place: properties stay
    const delta::Snapshot& before = *request.bronze.snapshot;
    input.layout.table = tables::WithIdsOf(before.schema, std::move(input.layout.table));
    SLUICE_TRY(input.layout.rules, tables::RulesOf(before.protocol, before.metadata, &input.layout.table));
  }
  read.dictionaries = Dictionaries(request, contract, input);
  attempt->hashes.resize(input.files.size());
  if (request.rows) {
    read.shown = input.files.empty() ? request.source->name : input.files.front().name;
    ReadRows(request, contract, read, &input);
    return attempt;
  }
  input.open = [&request, read, &hashes = attempt->hashes](size_t file) mutable {
    const InputFile& one = request.files[file];
    read.key = one.object.key;
    read.object = &one.object;
    read.compression = one.compression;
    read.encoding = one.encoding;
    read.member = one.member;
    read.content_hash = &hashes[file];
    return OpenFile(request.source->read.format, read, one.csv);
  };
  return attempt;
}

StagedTable StagedBronze(const IngestRequest& request, const Layout& layout, std::vector<tables::StagedFile> files) {
  StagedTable staged;
  staged.root = request.bronze.root;
  staged.schema = layout.table;
  staged.partition_columns = layout.partition_columns;
  staged.schema_changed = layout.schema_changed;
  staged.widened = layout.widened;
  staged.files = std::move(files);
  if (request.replaces > Replaces::kFiles && request.bronze.snapshot != nullptr) {
    staged.overwrite = true;
    staged.replaces_schema = request.replaces == Replaces::kTable;
    staged.removed = request.bronze.snapshot->files.ToVector();
  }
  return staged;
}

// The open rows that this batch takes the place of, marked.
Result<Superseded> SupersedeOpen(const IngestRequest& request, const Environment& environment) {
  if (request.replaces == Replaces::kNothing || request.quarantine.snapshot == nullptr) return Superseded{};
  if (environment.db == nullptr) return Fail(BugError("replacing a table needs the engine"));
  SLUICE_TRY(const auto connection, environment.db->Connect());
  const bool snapshot = request.source->load == project::Load::kFull && request.source->keep == project::Keep::kLatest;
  if (snapshot) return Supersede(*connection, environment, request.quarantine, request.batch, nullptr);
  std::vector<std::string> names = request.replaced;
  if (request.replaces == Replaces::kFiles) return Supersede(*connection, environment, request.quarantine, request.batch, &names);
  for (const InputFile& file : request.files) names.push_back(file.name.empty() ? file.object.key : file.name);
  if (request.rows && !request.rows->splits.empty()) names.push_back(request.rows->splits.front().name);
  return Supersede(*connection, environment, request.quarantine, request.batch, &names);
}

Result<StagedTable> StagedQuarantine(const IngestRequest& request, const Environment& environment, std::vector<tables::StagedFile> files,
                                     int64_t* superseded) {
  StagedTable staged;
  staged.root = request.quarantine.root;
  staged.schema = request.quarantine.snapshot != nullptr ? request.quarantine.snapshot->schema : QuarantineSchema();
  staged.schema_changed = request.quarantine.snapshot == nullptr && !files.empty();
  staged.files = std::move(files);
  SLUICE_TRY(Superseded before, SupersedeOpen(request, environment));
  *superseded = before.rows;
  staged.removed = std::move(before.removed);
  std::move(before.files.begin(), before.files.end(), std::back_inserter(staged.files));
  return staged;
}

// on_type_change: widen. The contract with the types that the refused values need; nullopt: nothing to widen.
std::optional<contract::Contract> Widened(const contract::Contract& contract, const Tally& tally) {
  const auto wider = tally.wider_types();
  if (wider.empty()) return std::nullopt;
  contract::Contract next = contract;
  bool changed = false;
  for (auto& column : next.columns) {
    const auto found = wider.find(column.name);
    if (found == wider.end() || !contract::IsWidening(column.type, found->second)) continue;
    changed |= !(column.type == found->second);
    column.type = found->second;
  }
  return changed ? std::optional(next) : std::nullopt;
}

Result<IngestResult> Finish(const IngestRequest& request, const Environment& environment, const Attempt& attempt, const Tally& tally,
                            PipelineOutput output) {
  IngestResult result;
  result.total = tally.total();
  result.files = tally.files();
  for (size_t i = 0; i < result.files.size(); ++i) result.files[i].content_hash = attempt.hashes[i];
  result.rules = tally.rules();
  auto refusal = GateRefusal(*attempt.input.contract, tally);
  if (refusal) {
    SLUICE_CHECK(KeepRefused(*environment.lake, request.quarantine.root, output.quarantine, request.batch));
    return Fail(std::move(*refusal));
  }
  result.bronze = StagedBronze(request, attempt.input.layout, std::move(output.bronze));
  SLUICE_TRY(result.quarantine, StagedQuarantine(request, environment, std::move(output.quarantine), &result.superseded));
  return result;
}

Result<IngestResult> IngestWith(const IngestRequest& request, const Environment& environment, contract::Contract contract) {
  // New columns that only the records tell are seldom: there are none until one is met, and then all are looked for first. Each round but
  // that one widens at least one column by at least one step: integers have three, decimals are joined over all values.
  bool look_at_records = false;
  for (int round = 0; round < 9; ++round) {
    SLUICE_TRY(const auto attempt, Prepare(request, contract, environment.input, environment.budget, look_at_records));
    Tally tally(contract, InputsOf(request, *attempt));
    SLUICE_TRY(auto output, RunPipeline(attempt->input, environment, &tally));
    if (!output.new_columns) {
      auto widened = Widened(contract, tally);
      if (!widened) return Finish(request, environment, *attempt, tally, std::move(output));
      contract = std::move(*widened);
    }
    look_at_records |= output.new_columns;
    DeleteStaged(*environment.lake, request.bronze.root, request.batch.file_prefix());
    DeleteStaged(*environment.lake, request.quarantine.root, request.batch.file_prefix());
  }
  return Fail(BugError("widening the contract's types does not end"));
}

}  // namespace

size_t Budget::max_columns() const { return static_cast<size_t>(std::clamp<int64_t>(memory_bytes / (32 << 10), 1000, 100'000)); }
uint32_t Budget::max_partitions() const { return static_cast<uint32_t>(std::clamp<int64_t>(memory_bytes / 4096, 10'000, 1'000'000)); }
int64_t Budget::max_record_bytes() const { return std::clamp<int64_t>(memory_bytes / 16, 1 << 20, 64 << 20); }

Result<IngestResult> Ingest(const IngestRequest& request, const Environment& environment) {
  auto result = IngestWith(request, environment, EffectiveContract(request.source->contract, request.kept_bronze(), {}));
  if (!result) {
    DeleteStaged(*environment.lake, request.bronze.root, request.batch.file_prefix());
    DeleteStaged(*environment.lake, request.quarantine.root, request.batch.file_prefix());
  }
  return result;
}

}  // namespace sluice::ingest
