#pragma once
// Where an increment begins and ends (docs/decisions/025): the state that the batch records hold, and what follows from it. Pure.
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace sluice::sources::postgres {

// pg_current_snapshot(): transactions below xmin are over, those from xmax on had not begun. Which of those between are open the text says
// too, but not of parts of transactions (savepoints), which have numbers of their own.
struct Snapshot {
  int64_t xmin = 0, xmax = 0;
  std::vector<int64_t> open;  // in their order
  std::string text;           // "750:755:750,752"
};
Result<Snapshot> ParseSnapshot(std::string_view text);

// A value of the cursor column below which nothing may come any more once every transaction of `open` is over.
struct Mark {
  std::optional<std::string> value;
  int64_t xmax = 0;
  std::vector<std::string> open;  // virtual transactions
  bool operator==(const Mark&) const = default;
};

struct Cursor {
  std::string of;      // the table or query, and the cursor column: a cursor of something else is refused
  std::string server;  // its system, timeline and database: transaction numbers mean nothing to another one
  std::string snapshot;
  std::vector<int64_t> taken;        // from its xmin on: transactions whose rows it showed, and which therefore were taken
  std::optional<std::string> floor;  // below it nothing comes any more; nullopt: not known
  std::optional<Mark> mark;          // the next floor
};
std::string ToJson(const Cursor& cursor);
// Error kUnsupported "bad-cursor".
Result<Cursor> ParseCursor(const std::string& json);

inline constexpr size_t kMostTaken = 100'000;  // of transactions that a cursor lists; rows of those beyond come again

// What a plan sees of the server.
struct Sight {
  std::string of, server;
  std::optional<std::string> top;  // the highest value of the cursor column, looked up before …
  std::vector<std::string> open;   // … the virtual transactions that were open, which were listed before …
  Snapshot snapshot;               // … the snapshot was taken; "prepared" stands for prepared ones
};

// The cursor after a batch that read what `sight` shows, whose rows were written by `seen` (as far as these are not below xmin).
Cursor Advance(const std::optional<Cursor>& before, const Sight& sight, const std::set<int64_t>& seen);

// SQL over a row's system column xmin: the batch of `before` did not take it. nullopt: cannot be told any more, for too many transactions
// came since.
Result<std::optional<std::string>> NotTakenBefore(const Cursor& before, const Snapshot& now);

inline constexpr int64_t kNumbersOfRows = int64_t{1} << 32;  // so many there are in a row's xmin; then they begin anew

// The transaction that a row's xmin, the lower half of its number, stands for: the last one before `now`.
int64_t WholeTransaction(uint32_t xmin, const Snapshot& now);

// The same, if a cursor must list it: it is of the snapshot's own time, its neighbours may still be open. Not one that is open or had not
// begun: a row that is seen is not its, but one of 2^32 transactions ago.
std::optional<int64_t> TransactionToKeep(uint32_t xmin, const Snapshot& now);

}  // namespace sluice::sources::postgres
