#include "formats/new_json_fields.h"

#include "core/text.h"

namespace sluice::formats {

NewJsonFields::NewJsonFields(const ReadRequest& request) : max_columns_(request.max_columns) {
  const contract::Schema schema = request.schema();
  known_.children.resize(schema.fields.size());
  for (size_t i = 0; i < known_.children.size(); ++i) known_.children[i].name = schema.fields[i].name;
  IndexKeys(request, &known_);
}

void NewJsonFields::Look(const LineBlock& block) {
  for (size_t i = 0; i < block.lines.size() && !full(); ++i) {
    if (block.lines[i].cut || block.lines[i].wrong >= 0) continue;
    for (const std::string& key : keys_.Of(block.text(i))) Add(key);
  }
}

void NewJsonFields::Add(const std::string& key) {
  const std::string name(Trim(key));
  if (full() || !MayBeColumn(known_, name)) return;
  known_.by_key.emplace(ToLower(name), 0);
  fields_.push_back({name, contract::DataType::Of(contract::TypeKind::kString), true, {}});
}

}  // namespace sluice::formats
