#pragma once
// The columns of a schema, changed by path. Pure.
#include <string>

#include "tables/alter.h"

namespace sluice::tables {

// Where a path leads: `field` stands in `siblings` (a schema's fields, or those of a struct).
struct ColumnPlace {
  std::vector<contract::Field>* siblings = nullptr;
  size_t at = 0;
  std::vector<const contract::Field*> above;  // from the top-level column down to the one around it
  contract::Field& field() const { return (*siblings)[at]; }
  bool is_top() const { return above.empty(); }
};
// Error "unknown-column".
Result<ColumnPlace> FindColumn(contract::Schema* schema, const std::string& path);

class ColumnChanges {
 public:
  // `configuration`: the properties that the table will have.
  ColumnChanges(const TableTarget& target, const std::map<std::string, std::string>& configuration, bool is_mapped,
                contract::Schema* schema, std::vector<std::string>* partition_columns)
      : target_(target), configuration_(configuration), is_mapped_(is_mapped), schema_(schema), partition_columns_(partition_columns) {}
  Status Drop(const std::string& path);
  Status Rename(const std::string& path, const std::string& name);
  Status Retype(const std::string& path, const contract::DataType& type);
  Status Add(const AlterSpec::NewColumn& column);
  Status Comment(const std::string& path, const std::string& text);

 private:
  Status CheckFree(const ColumnPlace& place, const std::string& path, const char* verb) const;
  Status CheckName(const std::vector<contract::Field>& siblings, const std::string& name, const std::string& path) const;
  bool IsPartitionColumn(const std::string& name) const;

  const TableTarget& target_;
  const std::map<std::string, std::string>& configuration_;
  const bool is_mapped_;
  contract::Schema* schema_;
  std::vector<std::string>* partition_columns_;
};

}  // namespace sluice::tables
