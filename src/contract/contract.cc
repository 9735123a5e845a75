#include "contract/contract.h"

namespace sluice::contract {

Schema Contract::ToSchema() const {
  Schema schema;
  for (const ColumnContract& column : columns) {
    const bool never_null = column.not_null && column.on_fail != OnFail::kWarn && column.rule_where.empty();
    schema.fields.push_back({column.name, column.type, !never_null, {}});
  }
  return schema;
}

}  // namespace sluice::contract
