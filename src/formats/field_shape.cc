#include "formats/field_shape.h"

#include "core/text.h"

namespace sluice::formats {
namespace {

Result<FieldShape> Nested(const contract::Field& field, const std::vector<std::string>& formats, std::string_view zone,
                          const FieldShape& like, const Location& where) {
  FieldShape shape;
  shape.type = field.type;
  shape.name = field.name;
  shape.key = field.name;
  shape.trim = like.trim;
  shape.null_tokens = like.null_tokens;
  shape.new_fields = like.new_fields;
  shape.zone = zone;
  if (!field.type.is_nested()) {
    const bool is_time = field.type.kind == contract::TypeKind::kDate || field.type.kind == contract::TypeKind::kTimestamp ||
                         field.type.kind == contract::TypeKind::kTimestampNtz;
    SLUICE_TRY(shape.decoder, contract::TextDecoder::Make(field.type, is_time ? formats : std::vector<std::string>{}, zone, where));
    return shape;
  }
  for (const contract::Field& child : field.type.children) {
    SLUICE_TRY(FieldShape nested, Nested(child, formats, zone, like, where));
    shape.children.push_back(std::move(nested));
  }
  if (field.type.kind == contract::TypeKind::kStruct) {
    for (size_t i = 0; i < shape.children.size(); ++i) shape.by_key.emplace(ToLower(shape.children[i].name), static_cast<int>(i));
    for (size_t i = 0; i < shape.children.size(); ++i) shape.by_key[shape.children[i].name] = static_cast<int>(i);
  }
  return shape;
}

// A JSON "" is text, as a quoted field of a CSV file is; only a column that lists "" itself means NULL by it.
std::vector<std::string> NullTokens(const contract::ColumnContract& column, const contract::Contract& contract) {
  if (column.null_tokens) return *column.null_tokens;
  std::vector<std::string> tokens = contract.null_tokens;
  std::erase(tokens, "");
  return tokens;
}

}  // namespace

int FieldShape::Find(std::string_view key) const {
  const auto exact = by_key.find(std::string(key));
  if (exact != by_key.end()) return exact->second;
  const auto lower = by_key.find(ToLower(Trim(key)));
  return lower == by_key.end() ? -1 : lower->second;
}

bool MayBeColumn(const FieldShape& record, std::string_view key) {
  const std::string name(Trim(key));
  return !name.empty() && !contract::IsMetadataColumn(name) && record.Find(name) < 0;
}

// `from` first: a name that another column is read from is not its own.
void IndexKeys(const ReadRequest& request, FieldShape* root) {
  const auto& columns = request.contract->columns;
  for (size_t i = 0; i < columns.size(); ++i)
    if (!columns[i].from.empty()) root->by_key.emplace(columns[i].from, static_cast<int>(i));
  for (size_t i = 0; i < columns.size(); ++i)
    if (!columns[i].from.empty()) root->by_key.emplace(ToLower(Trim(columns[i].from)), static_cast<int>(i));
  for (size_t i = 0; i < root->children.size(); ++i) root->by_key.emplace(root->children[i].name, static_cast<int>(i));
  for (size_t i = 0; i < root->children.size(); ++i) root->by_key.emplace(ToLower(root->children[i].name), static_cast<int>(i));
}

Result<FieldShape> ShapeOf(const ReadRequest& request) {
  FieldShape root;
  root.type = contract::DataType::Struct(request.schema().fields);
  const contract::Contract& contract = *request.contract;
  for (size_t i = 0; i < root.type.children.size(); ++i) {
    const bool declared = i < contract.columns.size();
    const contract::ColumnContract column = declared ? contract.columns[i] : contract::ColumnContract{};
    FieldShape like;
    like.trim = column.trim.value_or(contract.trim);
    like.null_tokens = NullTokens(column, contract);
    like.new_fields = contract.on_new_column == contract::OnNewColumn::kFreeze ? NewFields::kIgnore : NewFields::kRefuse;
    SLUICE_TRY(FieldShape shape, Nested(root.type.children[i], column.formats, column.zone.value_or(contract.zone), like, column.where));
    if (!column.from.empty()) shape.key = column.from;
    root.children.push_back(std::move(shape));
  }
  root.new_fields = contract.on_new_column == contract::OnNewColumn::kFreeze ? NewFields::kIgnore : NewFields::kRefuse;
  IndexKeys(request, &root);
  return root;
}

}  // namespace sluice::formats
