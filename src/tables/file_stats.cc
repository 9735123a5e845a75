#include "tables/file_stats.h"

#include <simdjson.h>

#include "core/text.h"

namespace sluice::tables {

std::optional<int64_t> RowsOf(const delta::Add& add) {
  if (add.stats.empty()) return std::nullopt;
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(add.stats);
  simdjson::ondemand::document document;
  int64_t rows = 0;
  if (parser.iterate(text).get(document) || document["numRecords"].get(rows)) return std::nullopt;
  return rows - (add.deletion_vector ? add.deletion_vector->cardinality : 0);
}

void AddCountedColumns(const delta::Add& add, std::set<std::string>* columns) {
  if (add.stats.empty()) return;
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(add.stats);
  simdjson::ondemand::document document;
  simdjson::ondemand::object counts;
  if (parser.iterate(text).get(document) || document["nullCount"].get(counts)) return;
  for (auto field : counts) {
    std::string_view name;
    if (field.unescaped_key().get(name)) return;
    columns->insert(ToLower(name));
  }
}

}  // namespace sluice::tables
