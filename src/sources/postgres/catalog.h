#pragma once
// What the server knows of tables and columns.
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/types.h"
#include "sources/read.h"

namespace sluice::sources::postgres {

struct RelationName {
  std::string schema, table;
  std::string Quoted() const;  // "public"."users"
};
// "public.users"; without a schema it is of `public`. As the server spells it: case matters, and a dot parts the two.
RelationName ParseTableName(const std::string& text);

struct Relation {
  RelationName name;
  bool has_rows_of_its_own = false;  // a heap, or a partitioned table of heaps: system columns mean something
  int64_t pages = 0;                 // of its largest part
  int64_t bytes = 0;                 // of all parts
};

// Error kUser "postgres-no-table", with the names of near ones.
Result<Relation> FindRelation(Connection& connection, const Settings& settings, const RowsRead& read);

// The columns that a SELECT gives and how they come over the wire.
struct FoundColumn {
  std::string name;
  WireType type;
};
Result<std::vector<FoundColumn>> FindColumns(Connection& connection, const std::string& select);

// What a contract may say beyond types.
struct Constraints {
  std::vector<std::string> not_null;
  std::vector<std::string> primary_key;
  std::map<std::string, std::vector<std::string>> enums;  // column → its values
  std::map<std::string, std::string> comments;
};
Result<Constraints> FindConstraints(Connection& connection, const RelationName& table);

}  // namespace sluice::sources::postgres
