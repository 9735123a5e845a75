#include "formats/typed_rows.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "formats/convert_array.h"
#include "formats/json_row.h"

namespace sluice::formats {
namespace {

bool HasBinary(const contract::DataType& type) {
  return type.kind == contract::TypeKind::kBinary ||
         std::any_of(type.children.begin(), type.children.end(), [](const contract::Field& child) { return HasBinary(child.type); });
}

std::shared_ptr<arrow::ArrayData> DataWithoutUuids(const arrow::ArrayData& data) {
  auto out = data.Copy();
  out->type = WithoutUuids(data.type);
  for (auto& child : out->child_data) child = DataWithoutUuids(*child);
  return out;
}

class TypedBlock : public RawBlock {
 public:
  TypedBlock(std::shared_ptr<arrow::RecordBatch> batch, std::shared_ptr<const TypedPlan> plan, int64_t first_row)
      : batch_(std::move(batch)), plan_(std::move(plan)), first_row_(first_row) {}

  Result<DecodedBatch> Decode() override {
    DecodedBatch out;
    arrow::ArrayVector arrays;
    for (size_t i = 0; i < plan_->columns.columns.size(); ++i) {
      SLUICE_TRY(auto array, Column(i, &out.violations));
      arrays.push_back(std::move(array));
    }
    for (const int position : plan_->columns.refused) RefuseValues(position, &out.violations);
    KeepFirst(&out.violations);
    out.rows = arrow::RecordBatch::Make(contract::ToArrow(plan_->schema), batch_->num_rows(), std::move(arrays));
    out.first_row = first_row_;
    out.place = [first = first_row_](int64_t row) { return RecordPlace{first + row, 0, 0}; };
    out.raw = [batch = batch_](int64_t row) { return JsonOfRow(*batch, row); };
    return out;
  }

 private:
  Result<std::shared_ptr<arrow::Array>> Column(size_t i, std::vector<contract::Violation>* violations) {
    const FieldShape& shape = plan_->shape.children[i];
    const int position = plan_->columns.columns[i].file_column;
    if (position < 0) return *arrow::MakeArrayOfNull(contract::ToArrow(shape.type), batch_->num_rows());
    const RefuseValue refuse = [&](int64_t row, const std::string& path, const char* rule, std::string value, const std::string& message) {
      const std::string at = path.empty() ? "" : fmt::format("at {}{}: ", shape.name, path);
      violations->push_back({row, shape.name, rule, std::move(value), at + message, false});
    };
    return ConvertArray(batch_->column(position), shape, refuse);
  }

  void RefuseValues(int position, std::vector<contract::Violation>* violations) {
    const arrow::Array& array = *batch_->column(position);
    for (int64_t row = 0; row < array.length(); ++row)
      if (array.IsValid(row))
        violations->push_back(
            {row, batch_->column_name(position), "new_column", JsonOfValue(array, row), "the contract has no such column", false});
  }

  // One violation per row and column.
  static void KeepFirst(std::vector<contract::Violation>* all) {
    const auto key = [](const contract::Violation& v) { return std::tie(v.row, v.column); };
    std::stable_sort(all->begin(), all->end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    all->erase(std::unique(all->begin(), all->end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }), all->end());
  }

  std::shared_ptr<arrow::RecordBatch> batch_;
  std::shared_ptr<const TypedPlan> plan_;
  int64_t first_row_;
};

// The raw record of bytes must not be a text that a replay would take for other bytes.
Result<std::shared_ptr<arrow::RecordBatch>> WithBytes(std::shared_ptr<arrow::RecordBatch> batch, const TypedPlan& plan) {
  for (size_t i = 0; i < plan.columns.columns.size(); ++i) {
    const int position = plan.columns.columns[i].file_column;
    if (position < 0 || !HasBinary(plan.shape.children[i].type)) continue;
    const auto bytes = arrow::MakeArray(DataWithoutUuids(*batch->column_data(position)));
    auto replaced = batch->SetColumn(position, batch->schema()->field(position)->WithType(bytes->type()), bytes);
    if (!replaced.ok()) return Fail(RetryableError("arrow", replaced.status().ToString()));
    batch = *std::move(replaced);
  }
  return batch;
}

// Two fields of one name cannot be told apart in the raw record either.
Status RefuseDuplicateFields(const ReadRequest& request, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second)
      return Fail(DataError("duplicate-header", fmt::format("{} has several columns named \"{}\"", NameOf(request), name)));
  return Ok();
}

// Times of nanoseconds are proposed as ours, of microseconds: a value that would lose something is refused when it comes.
std::shared_ptr<arrow::DataType> InMicroseconds(const std::shared_ptr<arrow::DataType>& type) {
  const auto field = [&](int i) { return type->field(i)->WithType(InMicroseconds(type->field(i)->type())); };
  switch (type->id()) {
    case arrow::Type::TIMESTAMP:
      return arrow::timestamp(arrow::TimeUnit::MICRO, static_cast<const arrow::TimestampType&>(*type).timezone());
    case arrow::Type::LIST:
      return arrow::list(field(0));
    case arrow::Type::MAP:
      return std::make_shared<arrow::MapType>(field(0));
    case arrow::Type::STRUCT: {
      arrow::FieldVector fields;
      for (int i = 0; i < type->num_fields(); ++i) fields.push_back(field(i));
      return arrow::struct_(fields);
    }
    default:
      return type;
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> WithoutUuids(const std::shared_ptr<arrow::DataType>& type) {
  if (contract::IsUuid(*type)) return static_cast<const arrow::ExtensionType&>(*type).storage_type();
  const auto field = [&](int i) { return type->field(i)->WithType(WithoutUuids(type->field(i)->type())); };
  if (type->id() == arrow::Type::LIST) return arrow::list(field(0));
  if (type->id() == arrow::Type::MAP) return std::make_shared<arrow::MapType>(field(0));
  if (type->id() != arrow::Type::STRUCT) return type;
  arrow::FieldVector fields;
  for (int i = 0; i < type->num_fields(); ++i) fields.push_back(field(i));
  return arrow::struct_(fields);
}

Result<std::shared_ptr<const TypedPlan>> PlanTyped(const ReadRequest& request, const std::vector<std::string>& names) {
  SLUICE_CHECK(RefuseDuplicateFields(request, names));
  auto plan = std::make_shared<TypedPlan>();
  SLUICE_TRY(plan->columns, PlanColumns(request, names));
  SLUICE_TRY(plan->shape, ShapeOf(request));
  plan->schema = request.schema();
  return std::shared_ptr<const TypedPlan>(std::move(plan));
}

Result<std::unique_ptr<RawBlock>> TypedRows(std::shared_ptr<arrow::RecordBatch> batch, std::shared_ptr<const TypedPlan> plan,
                                            int64_t first_row) {
  SLUICE_TRY(auto rows, WithBytes(std::move(batch), *plan));
  return std::make_unique<TypedBlock>(std::move(rows), std::move(plan), first_row);
}

Result<std::vector<contract::Field>> NewTypedColumns(const ReadRequest& request, const arrow::Schema& schema) {
  std::vector<contract::Field> fields;
  for (const std::string& name : NewColumnNames(request, schema.field_names())) {
    const auto same = [&](const std::shared_ptr<arrow::Field>& field) { return Trim(field->name()) == name; };
    const auto& all = schema.fields();
    auto type = contract::FromArrow(*InMicroseconds((*std::find_if(all.begin(), all.end(), same))->type()));
    if (!type) {
      Error error = std::move(type).error();
      error.message = fmt::format("{}, column \"{}\": {}", NameOf(request), name, error.message);
      return Fail(
          std::move(error).Hint("on_new_column: freeze leaves new columns out; or name it in the contract with a type that it can become"));
    }
    fields.push_back({name, *std::move(type), true, {}});
  }
  return fields;
}

}  // namespace sluice::formats
