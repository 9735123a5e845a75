#pragma once
// Who reads a table by its versions, and how far has each come? VACUUM and log clean-up keep what a known consumer has not read yet.
#include <string>
#include <vector>

#include "run/session.h"

namespace sluice::run {

struct Consumer {
  std::string node;        // "gold.journal"
  std::string table_id;    // of the table that it read; another id than the table's: it will read the whole table, and needs no old version
  int64_t version = -1;    // the last one that it has read; -1: none yet, its first run reads the whole table
  bool by_change = false;  // it goes on from that version with the changes after it: new(), changes(), windows that are due by changed rows
  bool decided = false;    // a batch of it is decided and not done: should it be prepared again, it reads this very version
};

// Does a model go on from the version of `table` that it has read? Else it reads what the table is.
bool ReadsByChange(const plan::Node& model, const std::string& table);

// The models of the project that read `table`, directly or by way of views, as their records stand; sorted by node. What must stay for them
// of a table with that id: of one `by_change`, the version it has read and the commits, data files and change data of every later one; of
// one that is `decided`, that version (such a model is named a second time for it). Others read the newest version only.
// `table` is "bronze.orders", "quarantine.orders", …: unknown names have no consumers. Errors: "bad-record", those of the store and of the
// project's SQL.
Result<std::vector<Consumer>> ConsumersOf(Session& session, const std::string& table);

}  // namespace sluice::run
