#include "tables/alter_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "delta/type_widening.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

// Without column mapping a name is also the one in the files, which forbid these.
constexpr std::string_view kForbidden = " ,;{}()\n\t=";
constexpr const char* kChangeDataNames[] = {"_change_type", "_commit_version", "_commit_timestamp"};

size_t IndexOf(const std::vector<Field>& fields, std::string_view name) {
  return static_cast<size_t>(
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return EqualsIgnoreCase(field.name, name); }) - fields.begin());
}

std::vector<std::string> NamesOf(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

// Is `name` a word of this expression? Asked of text whose grammar is another engine's: what is in doubt counts as used.
bool Mentions(const std::string& expression, const std::string& name) {
  const std::string text = ToLower(expression), word = ToLower(name);
  const auto part_of_word = [&](size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if ((at == 0 || !part_of_word(at - 1)) && !part_of_word(at + word.size())) return true;
  return false;
}

}  // namespace

Result<ColumnPlace> FindColumn(contract::Schema* schema, const std::string& path) {
  ColumnPlace place{&schema->fields, IndexOf(schema->fields, path), {}};
  if (place.at < place.siblings->size()) return place;  // a name that has dots itself
  const std::vector<std::string> steps = Split(path, '.');
  std::string walked;
  for (size_t i = 0; i < steps.size(); ++i) {
    place.at = IndexOf(*place.siblings, steps[i]);
    if (place.at == place.siblings->size())
      return Fail(
          UserError("unknown-column", fmt::format("there is no column \"{}\"{}", path, DidYouMean(steps[i], NamesOf(*place.siblings))))
              .Hint(fmt::format("{} has {}", walked.empty() ? "the table" : walked, Join(NamesOf(*place.siblings), ", "))));
    walked += (i ? "." : "") + steps[i];
    if (i + 1 == steps.size()) break;
    place.above.push_back(&place.field());
    place.siblings = &place.field().type.children;
  }
  return place;
}

bool ColumnChanges::IsPartitionColumn(const std::string& name) const {
  return std::any_of(partition_columns_->begin(), partition_columns_->end(),
                     [&](const std::string& column) { return EqualsIgnoreCase(column, name); });
}

// What other parts of the table name cannot go or change under them.
Status ColumnChanges::CheckFree(const ColumnPlace& place, const std::string& path, const char* verb) const {
  const std::string& name = place.field().name;
  const auto used = [&](const std::string& by) {
    return Fail(UserError("column-in-use", fmt::format("{}: column \"{}\" cannot be {}: {}", target_.name, path, verb, by)));
  };
  for (const auto& [key, value] : configuration_) {
    if (key.starts_with("delta.constraints.") && Mentions(value, name))
      return used(fmt::format("the constraint {} names it: {}", key.substr(18), value));
    if (key == "delta.dataSkippingStatsColumns" && Mentions(value, name)) return used(fmt::format("{} names it: {}", key, value));
  }
  for (const Field& field : schema_->fields)
    for (const char* expression : {"delta.generationExpression", "delta.invariants"})
      if (const auto at = field.metadata.find(expression); at != field.metadata.end() && Mentions(at->second, name))
        return used(fmt::format("column \"{}\" is bound to it: {}", field.name, at->second));
  return Ok();
}

Status ColumnChanges::CheckName(const std::vector<Field>& siblings, const std::string& name, const std::string& path) const {
  const auto bad = [&](const std::string& why) {
    return Fail(UserError("bad-column", fmt::format("{}: \"{}\" {}", target_.name, path, why)));
  };
  if (name.empty()) return bad("is no name");
  if (IndexOf(siblings, name) < siblings.size())
    return Fail(UserError("duplicate-column", fmt::format("{}: there is a column \"{}\" already", target_.name, path)));
  if (!is_mapped_ && name.find_first_of(kForbidden) != std::string::npos) return bad("has characters that need column mapping");
  const auto enabled = configuration_.find("delta.enableChangeDataFeed");
  const bool feed = enabled != configuration_.end() && EqualsIgnoreCase(enabled->second, "true");
  for (const char* reserved : kChangeDataNames)
    if (feed && EqualsIgnoreCase(name, reserved)) return bad("is a name of the change data feed");
  return Ok();
}

Status ColumnChanges::Drop(const std::string& path) {
  SLUICE_TRY(const ColumnPlace place, FindColumn(schema_, path));
  if (place.is_top() && IsPartitionColumn(place.field().name))
    return Fail(UserError("column-in-use", fmt::format("{}: the table is partitioned by \"{}\"", target_.name, path)));
  if (!place.is_top() && place.above.back()->type.kind != TypeKind::kStruct)
    return Fail(UserError("bad-column", fmt::format("{}: \"{}\" is a part of a {}, and cannot go alone", target_.name, path,
                                                    place.above.back()->type.ToString())));
  SLUICE_CHECK(CheckFree(place, path, "dropped"));
  if (place.siblings->size() == 1)
    return Fail(UserError("bad-column", fmt::format("{}: \"{}\" is the only column {}", target_.name, path,
                                                    place.is_top() ? "of the table" : "of its struct")));
  place.siblings->erase(place.siblings->begin() + static_cast<int64_t>(place.at));
  return Ok();
}

Status ColumnChanges::Rename(const std::string& path, const std::string& name) {
  SLUICE_TRY(const ColumnPlace place, FindColumn(schema_, path));
  if (!place.is_top() && place.above.back()->type.kind != TypeKind::kStruct)
    return Fail(UserError("bad-column",
                          fmt::format("{}: \"{}\" has its name from its {}", target_.name, path, place.above.back()->type.ToString())));
  SLUICE_CHECK(CheckFree(place, path, "renamed"));
  if (!EqualsIgnoreCase(place.field().name, name)) SLUICE_CHECK(CheckName(*place.siblings, name, name));
  for (std::string& column : *partition_columns_)
    if (place.is_top() && EqualsIgnoreCase(column, place.field().name)) column = name;
  place.field().name = name;
  return Ok();
}

Status ColumnChanges::Retype(const std::string& path, const DataType& type) {
  SLUICE_TRY(const ColumnPlace place, FindColumn(schema_, path));
  Field& field = place.field();
  if (field.type == type) return Ok();
  if (!delta::IsTypeChange(field.type, type))
    return Fail(
        UserError("not-a-widening", fmt::format("{}: \"{}\" is {}, which cannot become {} under the rows that are there", target_.name,
                                                path, field.type.ToString(), type.ToString()))
            .Hint("integers grow to wider ones, double or decimal, float to double, decimals on both sides, date to timestamp_ntz"));
  if (place.is_top() && IsPartitionColumn(field.name))
    return Fail(UserError("column-in-use", fmt::format("{}: the table is partitioned by \"{}\"", target_.name, path)));
  SLUICE_CHECK(CheckFree(place, path, "widened"));
  field.type = type;
  return Ok();
}

Status ColumnChanges::Add(const AlterSpec::NewColumn& column) {
  std::vector<Field>* siblings = &schema_->fields;
  std::string name = column.path;
  if (const size_t dot = column.path.rfind('.'); dot != std::string::npos) {
    name = column.path.substr(dot + 1);
    SLUICE_TRY(const ColumnPlace parent, FindColumn(schema_, column.path.substr(0, dot)));
    if (parent.field().type.kind != TypeKind::kStruct)
      return Fail(UserError("bad-column", fmt::format("{}: \"{}\" is {}, which has no columns", target_.name, column.path.substr(0, dot),
                                                      parent.field().type.ToString()))
                      .Hint("of a list its \"element\", of a map its \"value\" may be a struct"));
    siblings = &parent.field().type.children;
  }
  SLUICE_CHECK(CheckName(*siblings, name, column.path));
  siblings->push_back({name, column.type, true, {}});
  return Ok();
}

Status ColumnChanges::Comment(const std::string& path, const std::string& text) {
  SLUICE_TRY(const ColumnPlace place, FindColumn(schema_, path));
  if (text.empty())
    place.field().metadata.erase("comment");
  else
    place.field().metadata["comment"] = nlohmann::json(text).dump();
  return Ok();
}

}  // namespace sluice::tables
