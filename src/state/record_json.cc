#include "state/record_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/time.h"

namespace sluice::state {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // of all records; a reader refuses a newer one

Error BadRecord(const std::string& key, std::string_view why) {
  return UnsupportedError("bad-record", fmt::format("the record {} cannot be read: {}", key, why))
      .Hint(key.ends_with(".done") ? "it was damaged outside of Sluice; what it sums up is known elsewhere: sluice state rebuild"
                                   : "it was damaged outside of Sluice: put <lake>/_sluice back from a backup");
}

Error NewerRecord(const std::string& key, int format) {
  return UnsupportedError("newer-record", fmt::format("the record {} is of format {}; this Sluice knows up to {}", key, format, kFormat))
      .Hint("a newer Sluice works on this lake: use that one");
}

// Runs `decode` over the parsed bytes; what nlohmann throws for a missing or mistyped field becomes an error.
template <typename T, typename Decode>
Result<T> Parse(std::string_view bytes, const std::string& key, Decode decode) {
  const json value = json::parse(bytes, nullptr, false);
  if (!value.is_object()) return Fail(BadRecord(key, "it is not a JSON object"));
  try {
    if (const int format = value.at("format").get<int>(); format != kFormat) return Fail(NewerRecord(key, format));
    return decode(value);
  } catch (const json::exception& problem) {
    return Fail(BadRecord(key, problem.what()));
  }
}

Result<json> Embedded(std::string_view text, std::string_view field) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return Fail(BugError(fmt::format("{} of a batch record is not JSON: {}", field, text)));
  return value;
}

std::string Text(const json& value, const char* field) { return value.at(field).dump(); }

Result<Instant> Time(const json& value, const std::string& key) {
  const auto text = value.get<std::string>();
  const auto instant = ParseInstant(text);
  if (!instant) return Fail(BadRecord(key, fmt::format("\"{}\" is no time", text)));
  return *instant;
}

Result<json> ToJson(const TableChange& change) {
  json value{{"table", change.table}, {"root", change.root}, {"commit", delta::ToJson(change.commit)}, {"depends_on", change.depends_on}};
  if (change.expected_txn) value["expected_txn"] = *change.expected_txn;
  return value;
}

Result<TableChange> ChangeFromJson(const json& value) {
  TableChange change;
  change.table = value.at("table");
  change.root = value.at("root");
  SLUICE_TRY(change.commit, delta::PreparedCommitFromJson(value.at("commit")));
  if (value.contains("expected_txn")) change.expected_txn = value.at("expected_txn").get<int64_t>();
  change.depends_on = value.at("depends_on").get<std::vector<size_t>>();
  return change;
}

json ToJson(const TableVersion& table) {
  return {{"table", table.table}, {"root", table.root}, {"id", table.id}, {"version", table.version}, {"batch", table.batch}};
}

TableVersion TableVersionFromJson(const json& value) {
  return {value.at("table"), value.at("root"), value.at("id"), value.at("version"), value.at("batch")};
}

json ToJson(const DoneRecord& record) {
  json tables = json::array();
  for (const TableVersion& table : record.tables) tables.push_back(ToJson(table));
  return {{"format", kFormat}, {"n", record.n}, {"k", record.k}, {"abandoned", record.abandoned}, {"tables", std::move(tables)}};
}

DoneRecord DoneFromJson(const json& value) {
  DoneRecord record{.n = value.at("n"), .k = value.at("k"), .abandoned = value.at("abandoned")};
  for (const json& table : value.at("tables")) record.tables.push_back(TableVersionFromJson(table));
  return record;
}

}  // namespace

Result<std::string> Render(const OpenRecord& record) {
  SLUICE_TRY(json inputs, Embedded(record.inputs, "inputs"));
  SLUICE_TRY(json parameters, Embedded(record.parameters, "parameters"));
  const json value{{"format", kFormat},
                   {"n", record.n},
                   {"attempt", record.attempt},
                   {"run_id", record.run_id},
                   {"clock", FormatInstant(record.clock)},
                   {"kind", record.kind},
                   {"inputs", std::move(inputs)},
                   {"parameters", std::move(parameters)},
                   {"fingerprint", record.fingerprint}};
  return value.dump() + "\n";
}

Result<OpenRecord> ParseOpen(std::string_view bytes, const std::string& key) {
  return Parse<OpenRecord>(bytes, key, [&](const json& value) -> Result<OpenRecord> {
    SLUICE_TRY(const Instant clock, Time(value.at("clock"), key));
    return OpenRecord{.n = value.at("n"),
                      .attempt = value.at("attempt"),
                      .run_id = value.at("run_id"),
                      .clock = clock,
                      .kind = value.at("kind"),
                      .inputs = Text(value, "inputs"),
                      .parameters = Text(value, "parameters"),
                      .fingerprint = value.at("fingerprint")};
  });
}

Result<std::string> Render(const ReadyRecord& record) {
  SLUICE_TRY(json inputs, Embedded(record.inputs, "inputs"));
  SLUICE_TRY(json counts, Embedded(record.counts, "counts"));
  SLUICE_TRY(json cursor, Embedded(record.cursor, "cursor"));
  json changes = json::array();
  for (const TableChange& change : record.changes) {
    SLUICE_TRY(json one, ToJson(change));
    changes.push_back(std::move(one));
  }
  json value{{"format", kFormat},
             {"n", record.n},
             {"k", record.k},
             {"attempt", record.attempt},
             {"run_id", record.run_id},
             {"kind", record.kind},
             {"inputs", std::move(inputs)},
             {"counts", std::move(counts)},
             {"cursor", std::move(cursor)},
             {"fingerprint", record.fingerprint},
             {"changes", std::move(changes)}};
  if (record.abandoned) value["abandoned"] = record.abandoned_because;
  return value.dump() + "\n";
}

Result<ReadyRecord> ParseReady(std::string_view bytes, const std::string& key) {
  return Parse<ReadyRecord>(bytes, key, [&](const json& value) -> Result<ReadyRecord> {
    ReadyRecord record{.n = value.at("n"),
                       .k = value.at("k"),
                       .attempt = value.at("attempt"),
                       .run_id = value.at("run_id"),
                       .kind = value.at("kind"),
                       .changes = {},
                       .inputs = Text(value, "inputs"),
                       .counts = Text(value, "counts"),
                       .cursor = Text(value, "cursor"),
                       .fingerprint = value.at("fingerprint")};
    for (const json& one : value.at("changes")) {
      SLUICE_TRY(TableChange change, ChangeFromJson(one));
      record.changes.push_back(std::move(change));
    }
    record.abandoned = value.contains("abandoned");
    if (record.abandoned) record.abandoned_because = value.at("abandoned");
    return record;
  });
}

Result<std::string> Render(const DoneRecord& record) { return ToJson(record).dump() + "\n"; }

Result<DoneRecord> ParseDone(std::string_view bytes, const std::string& key) {
  return Parse<DoneRecord>(bytes, key, [](const json& value) -> Result<DoneRecord> { return DoneFromJson(value); });
}

HeadIndex MakeHead(const DoneRecord& done, const ReadyRecord& ready) {
  HeadIndex head{.done = done,
                 .cursor = ready.cursor,
                 .inputs = ready.inputs,
                 .counts = ready.counts,
                 .fingerprint = ready.fingerprint,
                 .run_id = ready.run_id,
                 .prepared_for = {}};
  for (const TableChange& change : ready.changes) head.prepared_for[change.table] = change.commit.read_version + 1;
  return head;
}

Result<std::string> Render(const HeadIndex& head) {
  SLUICE_TRY(json cursor, Embedded(head.cursor, "cursor"));
  SLUICE_TRY(json inputs, Embedded(head.inputs, "inputs"));
  SLUICE_TRY(json counts, Embedded(head.counts, "counts"));
  const json value{{"format", kFormat},           {"done", ToJson(head.done)},        {"cursor", std::move(cursor)},
                   {"inputs", std::move(inputs)}, {"counts", std::move(counts)},      {"fingerprint", head.fingerprint},
                   {"run_id", head.run_id},       {"prepared_for", head.prepared_for}};
  return value.dump() + "\n";
}

Result<HeadIndex> ParseHead(std::string_view bytes, const std::string& key) {
  return Parse<HeadIndex>(bytes, key, [](const json& value) -> Result<HeadIndex> {
    return HeadIndex{.done = DoneFromJson(value.at("done")),
                     .cursor = Text(value, "cursor"),
                     .inputs = Text(value, "inputs"),
                     .counts = Text(value, "counts"),
                     .fingerprint = value.at("fingerprint"),
                     .run_id = value.at("run_id"),
                     .prepared_for = value.at("prepared_for")};
  });
}

}  // namespace sluice::state
