#include "run/validate.h"

#include <fmt/format.h>

#include "contract/literal.h"
#include "ingest/ingest.h"
#include "run/contract_sql.h"
#include "run/ingest_batch.h"
#include "run/model_schema.h"
#include "run/seed.h"

namespace sluice::run {
namespace {

using engines::UseMode;

using contract::TypeKind;
using project::Check;

const std::set<TypeKind> kTime = {TypeKind::kDate, TypeKind::kTimestamp, TypeKind::kTimestampNtz};

// Can every value of the column be compared with the text? A number of any scale can with any number: that loses nothing.
Status CheckLiteral(const contract::DataType& type, const std::string& text, std::string_view key) {
  if (type.is_nested()) return Ok();
  const bool number = type.is_integer() || type.kind == TypeKind::kDecimal;
  const auto literal = contract::ParseLiteral(number ? contract::DataType::Of(TypeKind::kDouble) : type, text);
  if (literal) return Ok();
  return Fail(UserError("bad-literal", fmt::format("{} \"{}\" is no value of type {}", key, text, type.ToString()))
                  .Hint(number                      ? "write a number, or choose another column"
                        : kTime.contains(type.kind) ? "write it in ISO 8601: 2024-01-31, 2024-01-31T10:00:00Z"
                                                    : "write a value of the column's type"));
}

// The rule's own values against the types of the columns that it looks at.
Status CheckLiterals(const Check& check, const contract::Schema& own) {
  if (check.kind != Check::Kind::kMin && check.kind != Check::Kind::kMax && check.kind != Check::Kind::kValues) return Ok();
  for (const std::string& column : check.columns) {
    const contract::Field* field = own.Find(column);
    if (field == nullptr) continue;  // the binder says so
    if (check.min) SLUICE_CHECK(CheckLiteral(field->type, *check.min, "min"));
    if (check.max) SLUICE_CHECK(CheckLiteral(field->type, *check.max, "max"));
    for (const std::string& value : check.values) SLUICE_CHECK(CheckLiteral(field->type, value, "the value"));
  }
  return Ok();
}

class Validator {
 public:
  Validator(Session& session, const plan::Graph& graph) : session_(session), graph_(graph) {}

  Result<Validated> Run(const std::set<size_t>& nodes) {
    out_.warnings = session_.project().warnings;
    out_.warnings.insert(out_.warnings.end(), graph_.warnings.begin(), graph_.warnings.end());
    std::set<size_t> wanted;
    for (const size_t node : nodes) AddUpstream(node, wanted);
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (nodes.empty() || wanted.contains(i)) Bind(graph_.nodes[i]);
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (nodes.empty() || wanted.contains(i)) BindChecks(graph_.nodes[i]);
    if (!diagnostics_.ok()) return Fail(std::move(diagnostics_).Take());
    return std::move(out_);
  }

 private:
  void AddUpstream(size_t node, std::set<size_t>& out) {
    if (!out.insert(node).second) return;
    for (const size_t input : graph_.Upstream(node)) AddUpstream(input, out);
  }

  void Bind(const plan::Node& node) {
    if (node.source) return BindSource(node);
    auto schema = node.seed ? WithMetadata(SeedSchema(session_, *node.seed)) : ModelSchema(node);
    if (schema)
      out_.schemas[node.table] = std::move(*schema);
    else if (schema.error().code != kUnknownInput)
      diagnostics_.Add(schema.error());
  }

  // A table that can't be read now says nothing of its columns; one that is not as the project says is an error.
  void BindExternal(const plan::Node& node) {
    const auto table = session_.Pin(node.table);
    if (table) {
      out_.schemas[node.table] = (*table)->schema;
      return;
    }
    const ErrorKind kind = table.error().kind;
    if (kind != ErrorKind::kNotFound && kind != ErrorKind::kRetryable) return diagnostics_.Add(table.error());
    if (node.source->contract.declared) out_.schemas[node.table] = node.source->contract.ToSchema();
    out_.warnings.push_back(UserError("columns-not-known", fmt::format("{} can't be read now, so what reads it {}: {}", node.table,
                                                                       node.source->contract.declared ? "is held against its contract only"
                                                                                                      : "can't be checked yet",
                                                                       table.error().message))
                                .At(node.source->external->where));
  }

  void BindSource(const plan::Node& node) {
    if (node.source->external) return BindExternal(node);
    out_.schemas[QuarantineTable(*node.source)] = ingest::QuarantineSchema();
    if (Status status = CheckContractSql(session_, node.source->contract); !status) diagnostics_.Add(std::move(status).error());
    if (node.source->contract.declared) {
      contract::Schema schema = BronzeSchema(*node.source);
      if (const auto stored = session_.Pin(node.table); stored && *stored)  // columns that evolved in
        for (const auto& field : (*stored)->schema.fields)
          if (schema.Find(field.name) == nullptr) schema.fields.push_back(field);
      out_.schemas[node.table] = std::move(schema);
      return;
    }
    const auto stored = session_.Pin(node.table);
    if (!stored) return diagnostics_.Add(stored.error());
    if (*stored) {
      out_.schemas[node.table] = (*stored)->schema;
      return;
    }
    out_.warnings.push_back(
        UserError("columns-not-known",
                  fmt::format("{} has no contract and was never ingested: what reads it can't be checked yet", node.table))
            .At(node.where())
            .Hint("`sluice inspect FILE` proposes a contract"));
  }

  static Result<contract::Schema> WithMetadata(Result<contract::Schema> schema) {
    if (!schema) return schema;
    for (const auto& field : contract::ModelMetadataColumns()) schema->fields.push_back(field);
    return schema;
  }

  // The columns of every table that `uses` name; an error with kUnknownInput where one of them is not known.
  Result<std::map<std::string, contract::Schema>> InputsOf(const std::vector<engines::TableUse>& uses, const contract::Schema* own) {
    std::map<std::string, contract::Schema> inputs;
    for (const auto& use : uses) {
      if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch) {
        if (own != nullptr) inputs[use.id()] = *own;
        continue;
      }
      const auto at = out_.schemas.find(use.schema + "." + use.name);
      if (at == out_.schemas.end()) return Fail(UserError(kUnknownInput, use.id()));
      inputs[use.id()] = at->second;
      if (use.mode != UseMode::kChanges) continue;
      for (const contract::Field& field : contract::ChangeColumns()) inputs[use.id()].fields.push_back(field);
    }
    return inputs;
  }

  Result<contract::Schema> ModelSchema(const plan::Node& node) {
    contract::Schema own;
    for (const auto& column : node.model->columns)
      if (column.type) own.fields.push_back({column.name, *column.type, true, {}});
    for (const auto& field : contract::ModelMetadataColumns()) own.fields.push_back(field);
    SLUICE_TRY(const auto inputs, InputsOf(node.uses, &own));
    const size_t errors = diagnostics_.errors.size();
    SLUICE_TRY(const contract::Schema schema, BindModel(session_, node, inputs, &diagnostics_));
    if (Status status = CheckDeleteWhen(session_, *node.model, schema); !status) diagnostics_.Add(std::move(status).error());
    auto stored = StoredSchema(node, schema);
    if (!stored && diagnostics_.errors.size() > errors) return WithMetadata(schema);  // its key is wrong, and that was said
    return stored;
  }

  void BindChecks(const plan::Node& node) {
    const auto own = out_.schemas.find(node.table);
    if (node.seed || own == out_.schemas.end()) return;
    for (const auto& check : node.source ? node.source->checks : node.model->checks) {
      Status status = BindCheck(node, check, own->second);
      if (status || status.error().code == kUnknownInput) continue;
      Error error = std::move(status).error();
      error.message = fmt::format("check {}: {}", check.name, error.message);
      error.where = check.where;
      diagnostics_.Add(std::move(error));
    }
  }

  Status BindCheck(const plan::Node& node, const Check& check, const contract::Schema& own) {
    SLUICE_CHECK(CheckLiterals(check, own));
    SLUICE_TRY(const engines::SqlTree tree, session_.sql().Tree(plan::CheckSql(check, node.model), check.where.file));
    SLUICE_TRY(const auto inputs, InputsOf(tree.uses(), &own));
    SLUICE_TRY(engines::SqlFrontend * frontend, session_.sql().Frontend());
    auto params = session_.Parameters(session_.clock().Now());
    std::erase_if(params, [&](const auto& param) {
      return std::find(tree.parameters().begin(), tree.parameters().end(), param.name) == tree.parameters().end();
    });
    auto bound = frontend->Bind(tree, inputs, params);
    // A check's own columns need not be storable: only names and types inside it matter.
    static const std::set<std::string> kHarmless = {"duplicate-column", "untyped-null", "unsupported-type"};
    if (!bound && !kHarmless.contains(bound.error().code)) return Fail(bound.error());
    return Ok();
  }

  static constexpr const char* kUnknownInput = "input-not-known";
  Session& session_;
  const plan::Graph& graph_;
  Validated out_;
  Diagnostics diagnostics_;
};

}  // namespace

Result<Validated> Validate(Session& session, const std::set<size_t>& nodes) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return Validator(session, *graph).Run(nodes);
}

}  // namespace sluice::run
