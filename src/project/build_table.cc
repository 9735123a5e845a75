// Sources of rows: which table or query of a database.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "project/build.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using config::GivenKey;

bool IsOwn(const GivenKey* key) { return key != nullptr && !key->inherited; }

void RefuseKeysOfFiles(const ReadSpec& read, Diagnostics& diagnostics) {
  for (const GivenKey& given : read.given)
    if (!given.inherited && given.name != "table" && given.name != "query")
      diagnostics.Add(
          UserError("key-of-another-connection", fmt::format("\"{}\" says how files are read, and a database has none", given.name))
              .At(given.where)
              .Hint("write read: { table: public.users } or read: { query: \"select …\" }"));
}

void CheckLoad(const SourceSpec& spec, Diagnostics& diagnostics) {
  if (spec.load == Load::kFull || spec.load == Load::kIncremental) return;
  const GivenKey* load = FindGiven(spec.given, "load");
  diagnostics.Add(UserError(load == nullptr ? "missing-key" : "key-of-another-connection",
                            load == nullptr ? fmt::format("the source {} lacks \"load\"", spec.name.value) : "this load is of files")
                      .At(load == nullptr ? spec.where : load->where)
                      .Hint("write load: full, a snapshot with each run, or load: incremental, what changed since the last one"));
}

// The table or the query, of a file of its own or one of many.
void TakeWhat(const SourceSpec& spec, sources::RowsRead* rows, Diagnostics& diagnostics) {
  if (spec.of_many && !spec.read) {
    rows->table = spec.name.value;
    if (IsTablePattern(spec) && spec.as)
      diagnostics.Add(UserError("conflicting-keys", "\"as\" names one table, and a pattern may match several")
                          .At(spec.as->where)
                          .Hint("remove it: each table gets its own name; or write the table out, beside the pattern"));
    return;
  }
  const bool both = spec.read && spec.read->table && spec.read->query;
  if (!spec.read || both || (!spec.read->table && !spec.read->query)) {
    if (spec.read || !FindGiven(spec.given, "read"))
      diagnostics.Add(
          UserError(both ? "conflicting-keys" : "missing-key",
                    both ? "\"read\" has a table and a query" : fmt::format("the source {} lacks a table to read", spec.name.value))
              .At(spec.read ? spec.read->where : spec.where)
              .Hint("write read: { table: public.users } or read: { query: \"select …\" }"));
    return;
  }
  RefuseKeysOfFiles(*spec.read, diagnostics);
  if (spec.read->table) rows->table = spec.read->table->value;
  if (spec.read->query) rows->query = spec.read->query->value;
  while (rows->query.ends_with('\n') || rows->query.ends_with(' ') || rows->query.ends_with(';')) rows->query.pop_back();
  if (rows->table.empty() && rows->query.empty())
    diagnostics.Add(
        UserError("missing-key", "the table or query is empty").At(spec.read->where).Hint("write read: { table: public.users }"));
}

}  // namespace

// "10m", or a number.
void TakeLookback(const SourceSpec& spec, sources::RowsRead* rows, Diagnostics& diagnostics) {
  if (!spec.lookback) return;
  const std::string& text = spec.lookback->value;
  rows->lookback = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows->lookback);
  const bool number = error == std::errc() && end == text.data() + text.size() && rows->lookback >= 0;
  const auto duration = number ? std::nullopt : ParseDuration(text);
  rows->lookback_is_time = !number;
  if (duration) rows->lookback = *duration;
  if (number || duration) return;
  diagnostics.Add(UserError("wrong-type", fmt::format("\"lookback\" must be a duration or a whole number, found \"{}\"", text))
                      .At(spec.lookback->where)
                      .Hint("write lookback: 10m, or of a cursor that is a number lookback: 1000"));
}

bool IsCommand(const SourceSpec& spec) { return spec.read && FindGiven(spec.read->given, "command") != nullptr; }

sources::RowsRead BuildCommand(const SourceSpec& spec, Diagnostics& diagnostics) {
  constexpr int64_t kMostOutput = 10LL << 30;
  sources::RowsRead rows;
  rows.where = spec.read->where;
  rows.command = TextsOf(spec.read->command);
  rows.timeout_micros = spec.read->timeout;
  rows.max_output_bytes = spec.read->max_output ? spec.read->max_output->value : kMostOutput;
  for (const GivenKey& given : spec.read->given)
    if (!given.inherited && given.name != "command" && given.name != "timeout" && given.name != "max_output")
      diagnostics.Add(UserError("key-of-another-connection", fmt::format("\"{}\" does not go with \"command\"", given.name))
                          .At(given.where)
                          .Hint("remove it: the program says what it reads, and prints NDJSON or Arrow IPC"));
  for (const char* key : {"connection", "cursor", "lookback", "exclude", "hash", "as"})
    if (const GivenKey* given = FindGiven(spec.given, key); IsOwn(given))
      diagnostics.Add(UserError("key-of-another-connection", fmt::format("\"{}\" does not go with read: {{ command: … }}", key))
                          .At(given->where)
                          .Hint("remove it: what a program needs it finds in its arguments and its environment"));
  if (spec.load != Load::kAppend && spec.load != Load::kFull)
    if (const GivenKey* given = FindGiven(spec.given, "load"))
      diagnostics.Add(UserError("key-of-another-connection", "this load is not one of a program")
                          .At(given->where)
                          .Hint("write load: append, or load: full where it prints the whole each time"));
  return rows;
}

bool IsTablePattern(const SourceSpec& spec) {
  return spec.of_many && !spec.read && spec.name.value.find_first_of("*?[{") != std::string::npos;
}

PlacedText NameOfTable(const SourceSpec& spec, bool rows) {
  if (!rows || !spec.of_many) return spec.name;
  if (spec.as) return *spec.as;
  return {spec.name.value.substr(spec.name.value.find('.') + 1), spec.name.where};
}

sources::RowsRead BuildRows(const SourceSpec& spec, Diagnostics& diagnostics) {
  sources::RowsRead rows;
  rows.where = spec.read ? spec.read->where : spec.where;
  TakeWhat(spec, &rows, diagnostics);
  rows.exclude = TextsOf(spec.exclude);
  rows.hash = TextsOf(spec.hash);
  for (const PlacedText& column : spec.hash)
    if (std::find(rows.exclude.begin(), rows.exclude.end(), column.value) != rows.exclude.end())
      diagnostics.Add(UserError("conflicting-keys", fmt::format("\"{}\" is hashed and excluded", column.value))
                          .At(column.where)
                          .Hint("take it out of one of the two"));
  CheckLoad(spec, diagnostics);
  rows.incremental = spec.load == Load::kIncremental;
  for (const char* key : {"cursor", "lookback"})
    if (const GivenKey* given = FindGiven(spec.given, key); IsOwn(given) && !rows.incremental)
      diagnostics.Add(UserError("key-of-another-load", fmt::format("\"{}\" is of load: incremental", key))
                          .At(given->where)
                          .Hint("write load: incremental, or remove it"));
  if (!rows.incremental) return rows;
  if (spec.cursor) rows.cursor = spec.cursor->value;
  TakeLookback(spec, &rows, diagnostics);
  if (rows.cursor.empty() && IsOwn(FindGiven(spec.given, "lookback")))
    diagnostics.Add(UserError("missing-key", "\"lookback\" goes with \"cursor\"").At(spec.lookback->where).Hint("add cursor: updated_at"));
  if (rows.cursor.empty() && !rows.query.empty())
    diagnostics.Add(UserError("missing-key", "a query has no transactions to tell what is new: it needs \"cursor\"")
                        .At(rows.where)
                        .Hint("add cursor: updated_at, or write load: full"));
  return rows;
}

void RefuseKeysOfRows(const SourceSpec& spec, Diagnostics& diagnostics) {
  for (const char* key : {"cursor", "lookback", "exclude", "hash", "as"})
    if (const GivenKey* given = FindGiven(spec.given, key); IsOwn(given))
      diagnostics.Add(UserError("key-of-another-connection", fmt::format("\"{}\" is of a database's tables", key))
                          .At(given->where)
                          .Hint("remove it: files are taken whole, and columns are left out in a model"));
  if (spec.load == Load::kIncremental)
    if (const GivenKey* given = FindGiven(spec.given, "load"); IsOwn(given))
      diagnostics.Add(UserError("key-of-another-connection", "load: incremental is of a database's tables")
                          .At(given->where)
                          .Hint("write load: append: each file is taken once"));
  if (spec.read)
    if (const GivenKey* given = FindGiven(spec.read->given, "query"); IsOwn(given))
      diagnostics.Add(
          UserError("key-of-another-connection", "\"query\" is of a database").At(given->where).Hint("write files: \"orders/*.csv\""));
}

}  // namespace sluice::project
