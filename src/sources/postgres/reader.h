#pragma once
// Rows of one COPY as blocks: taken off the wire by whoever calls Next, decoded by anyone.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/reader.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/types.h"

namespace sluice::sources::postgres {

// A column as it is read.
struct Column {
  std::string name;
  WireType type;
  bool hashed = false;
};

struct ReadPlan {
  std::vector<Column> columns;
  std::string sql;                           // the SELECT
  std::atomic<int64_t>* next_row = nullptr;  // numbers the rows of all readers of a batch
  std::function<void(uint32_t)> see;         // the last column of `sql`, beyond `columns`, is xmin, and goes here; empty: it is not there
  std::function<Status()> still_allowed;     // may the read go on? (max_snapshot_age)
  std::function<void(std::unique_ptr<Connection>)> give_back;  // the connection, once the COPY has ended well
};

// The COPY begins here. Errors: those of Connection, and of formats::PlanTyped.
Result<std::unique_ptr<formats::RecordReader>> OpenReader(std::unique_ptr<Connection> connection, ReadPlan plan,
                                                          const formats::ReadRequest& request);

}  // namespace sluice::sources::postgres
