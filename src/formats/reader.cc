#include "formats/reader.h"

namespace sluice::formats {

contract::Schema ReadRequest::schema() const {
  contract::Schema schema;
  for (const contract::ColumnContract& column : contract->columns) schema.fields.push_back({column.name, column.type, true, {}});
  for (const contract::Field& field : extra) schema.fields.push_back({field.name, field.type, true, {}});
  return schema;
}

}  // namespace sluice::formats
