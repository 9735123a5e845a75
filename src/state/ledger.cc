#include "state/ledger.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "state/ledger_index.h"
#include "state/mend.h"
#include "state/record_store.h"
#include "state/restore.h"

namespace sluice::state {
namespace {

using nlohmann::json;

// Two kinds of index objects: the files of one batch, and the whole ledger through a batch. Lines of tab-separated text:
// path (percent-encoded), size, etag (percent-encoded), batch; then, where there is one, hash and rows_of (percent-encoded). The first
// line says the kind.
constexpr std::string_view kAdds = "sluice-ledger 1 adds", kReplaces = "sluice-ledger 1 replaces";
constexpr int64_t kJoinEvery = 32;  // batches

std::string FilesKey(const std::string& node, int64_t n) { return IndexFolder(node) + "files-" + PaddedNumber(n); }
std::string LedgerPrefix(const std::string& node) { return IndexFolder(node) + "ledger-"; }
std::string LedgerKey(const std::string& node, int64_t n) { return LedgerPrefix(node) + PaddedNumber(n); }

std::string RenderLines(bool replaces, const std::map<std::string, LedgerEntry>& files) {
  std::string text(replaces ? kReplaces : kAdds);
  text += '\n';
  for (const auto& [path, entry] : files) {
    fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}", PercentEncode(path, true), entry.size, PercentEncode(entry.etag, false),
                   entry.batch);
    if (!entry.hash.empty() || !entry.rows_of.empty())
      fmt::format_to(std::back_inserter(text), "\t{}\t{}", entry.hash, PercentEncode(entry.rows_of, true));
    text += '\n';
  }
  return text;
}

template <typename Int>
bool ParseInto(std::string_view digits, Int& value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size();
}

// Applies an index object; false if it is not one.
bool ApplyLines(std::string_view text, std::map<std::string, LedgerEntry>& files) {
  const auto next = [&text] {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
  };
  const std::string_view head = next();
  if (head != kAdds && head != kReplaces) return false;
  if (head == kReplaces) files.clear();
  while (!text.empty()) {
    const auto fields = Split(next(), '\t');
    LedgerEntry entry;
    if ((fields.size() != 4 && fields.size() != 6) || !ParseInto(fields[1], entry.size) || !ParseInto(fields[3], entry.batch)) return false;
    entry.path = PercentDecode(fields[0]);
    entry.etag = PercentDecode(fields[2]);
    if (fields.size() == 6) {
      entry.hash = fields[4];
      entry.rows_of = PercentDecode(fields[5]);
    }
    files[entry.path] = std::move(entry);
  }
  return true;
}

bool ReplacesLedger(const ReadyRecord& ready) {
  if (RestoreTargetOf(ready)) return true;
  const json inputs = json::parse(ready.inputs, nullptr, false);
  return inputs.is_object() && inputs.value("replaces_ledger", false);
}

bool NamesFiles(const ReadyRecord& ready) {
  const json inputs = json::parse(ready.inputs, nullptr, false);
  return inputs.is_object() && inputs.contains("files");
}

// An abandoned batch consumed nothing: what follows it takes its inputs again. After a restore that holds which held then.
Status Apply(store::ObjectStore& lake, const std::string& node, const ReadyRecord& ready, FileLedger& ledger) {
  if (const auto target = RestoreTargetOf(ready); target && !ready.abandoned) {
    SLUICE_TRY(ledger, LoadLedger(lake, node, NodeState{.last_done = target->batch}));
  }
  ledger.through = ready.n;
  if (ready.abandoned || RestoreTargetOf(ready)) return Ok();
  if (ReplacesLedger(ready)) ledger.files.clear();
  SLUICE_TRY(auto files, FilesOf(ready));
  for (LedgerEntry& entry : files) ledger.files[entry.path] = std::move(entry);
  return Ok();
}

Status ApplyRecord(store::ObjectStore& lake, const std::string& node, int64_t n, FileLedger& ledger) {
  SLUICE_TRY(const DoneRecord done, ReadDone(lake, node, n));
  SLUICE_TRY(const ReadyRecord ready, ReadReady(lake, node, n, done.k));
  return Apply(lake, node, ready, ledger);
}

std::optional<int64_t> NumberAfter(std::string_view key, std::string_view prefix) {
  int64_t n = 0;
  if (!key.starts_with(prefix) || !ParseInto(key.substr(prefix.size()), n)) return std::nullopt;
  return n;
}

// The newest joined ledger that is not past `limit`; empty if there is none that can be read.
FileLedger NewestJoined(store::ObjectStore& lake, const std::string& node, int64_t limit) {
  const std::string prefix = LedgerPrefix(node);
  const auto objects = lake.List(prefix);
  if (!objects) return {};
  for (auto object = objects->rbegin(); object != objects->rend(); ++object) {
    const auto n = NumberAfter(object->key, prefix);
    if (!n || *n > limit) continue;
    FileLedger ledger{.through = *n, .files = {}};
    const auto text = lake.Get(object->key);
    if (text && ApplyLines(*text, ledger.files)) return ledger;
  }
  return {};
}

void DropJoined(store::ObjectStore& lake, const std::string& node, int64_t through) {
  const auto objects = lake.List(IndexFolder(node));
  if (!objects) return;
  for (const store::ObjectMeta& object : *objects) {
    const auto files = NumberAfter(object.key, IndexFolder(node) + "files-");
    const auto ledger = NumberAfter(object.key, LedgerPrefix(node));
    if ((files && *files <= through) || (ledger && *ledger < through)) (void)lake.Delete(object.key);
  }
}

}  // namespace

Result<FileLedger> LoadLedger(store::ObjectStore& lake, const std::string& node, const NodeState& state) {
  FileLedger ledger = NewestJoined(lake, node, state.last_done);
  for (int64_t n = ledger.through + 1; n <= state.last_done; ++n) {
    const auto text = lake.Get(FilesKey(node, n));
    if (text && ApplyLines(*text, ledger.files)) {
      ledger.through = n;
    } else {
      SLUICE_CHECK(ApplyRecord(lake, node, n, ledger));
    }
  }
  return ledger;
}

Result<std::vector<LedgerEntry>> FilesOf(const ReadyRecord& ready) {
  std::vector<LedgerEntry> files;
  const json inputs = json::parse(ready.inputs, nullptr, false);
  if (!inputs.is_object() || !inputs.contains("files")) return files;
  try {
    for (const json& file : inputs.at("files"))
      files.push_back({file.at("path"), file.at("size"), file.at("etag"), ready.n, file.value("hash", ""), file.value("rows_of", "")});
  } catch (const json::exception& problem) {
    return Fail(UnsupportedError("bad-record", fmt::format("the inputs of batch {} cannot be read: {}", ready.n, problem.what())));
  }
  return files;
}

std::string InputsOfFiles(const std::vector<LedgerEntry>& files, bool replaces_ledger) {
  json list = json::array();
  for (const LedgerEntry& file : files) {
    json& one = list.emplace_back(json{{"path", file.path}, {"size", file.size}, {"etag", file.etag}});
    if (!file.hash.empty()) one["hash"] = file.hash;
    if (!file.rows_of.empty()) one["rows_of"] = file.rows_of;
  }
  json inputs{{"files", std::move(list)}};
  if (replaces_ledger) inputs["replaces_ledger"] = true;
  return inputs.dump(-1, ' ', false, json::error_handler_t::replace);
}

void IndexFiles(store::ObjectStore& lake, const std::string& node, const ReadyRecord& ready) {
  if (!NamesFiles(ready) && !RestoreTargetOf(ready)) return;
  FileLedger own;
  if (!Apply(lake, node, ready, own) || (own.files.empty() && RestoreTargetOf(ready))) return;
  (void)lake.Put(FilesKey(node, ready.n), RenderLines(!ready.abandoned && ReplacesLedger(ready), own.files));
  if (ready.n % kJoinEvery != 0) return;
  const auto ledger = LoadLedger(lake, node, NodeState{.last_done = ready.n});
  if (!ledger || !lake.Put(LedgerKey(node, ready.n), RenderLines(true, ledger->files))) return;
  DropJoined(lake, node, ready.n);
}

Result<std::vector<std::string>> RebuildIndexes(store::ObjectStore& lake, const std::string& only_node) {
  SLUICE_TRY(std::vector<std::string> nodes, NodesWithRecords(lake));
  if (!only_node.empty()) std::erase_if(nodes, [&](const std::string& node) { return node != only_node; });
  for (const std::string& node : nodes) {
    SLUICE_TRY(const auto batches, ListBatches(lake, node, 0));
    SLUICE_CHECK(MendDoneRecords(lake, node, batches));
    FileLedger ledger;
    std::optional<HeadIndex> head;
    for (const BatchRecords& batch : batches) {
      if (batch.n == batches.back().n && !batch.done) continue;  // begun, perhaps decided: a run goes on there
      SLUICE_TRY(const DoneRecord done, ReadDone(lake, node, batch.n));
      SLUICE_TRY(const ReadyRecord ready, ReadReady(lake, node, batch.n, done.k));
      SLUICE_CHECK(Apply(lake, node, ready, ledger));
      head = MakeHead(done, ready);
    }
    // Only now: where a record cannot be read, the runs go on from the index that there is.
    SLUICE_TRY(const auto indexes, lake.List(IndexFolder(node)));
    for (const auto& index : indexes) SLUICE_CHECK(lake.Delete(index.key));
    if (head) WriteHead(lake, node, *head);
    if (!ledger.files.empty()) SLUICE_CHECK(lake.Put(LedgerKey(node, ledger.through), RenderLines(true, ledger.files)));
  }
  return nodes;
}

}  // namespace sluice::state
