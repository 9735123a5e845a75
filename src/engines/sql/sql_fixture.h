#pragma once
// What the tests of the SQL frontend share: a small shop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engines/sql.h"

namespace sluice::engines {

inline contract::Field Column(const std::string& name, const std::string& type) {
  return {name, contract::ParseType(type).value(), true, {}};
}

inline contract::Schema Orders() {
  contract::Schema schema{{Column("order_id", "string"), Column("customer_id", "bigint"), Column("amount", "decimal(12,2)"),
                           Column("ordered_on", "date"), Column("updated_at", "timestamp"), Column("tags", "list<string>"),
                           Column("address", "struct<city: string, zip: string>")}};
  for (const contract::Field& field : contract::BronzeMetadataColumns()) schema.fields.push_back(field);
  return schema;
}

inline contract::Schema Customers() {
  contract::Schema schema{{Column("customer_id", "bigint"), Column("name", "string"), Column("region", "string")}};
  for (const contract::Field& field : contract::ModelMetadataColumns()) schema.fields.push_back(field);
  return schema;
}

class SqlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    db_ = DuckDb::Open({}).value();
    sql_ = SqlFrontend::Open(*db_).value();
  }

  Result<SqlTree> Parse(const std::string& sql) { return sql_->ParseModel(sql, "models/m.sql", schemas_, &warnings_); }

  std::map<std::string, contract::Schema> Inputs() const {
    return {{"bronze.orders", Orders()},
            {"silver.orders", Orders()},
            {"new(bronze.orders)", Orders()},
            {"changes(bronze.orders)", Orders()},
            {"silver.customers", Customers()},
            {"this", Customers()},
            {"batch", Orders()}};
  }

  Result<contract::Schema> Bind(const std::string& sql) {
    SLUICE_TRY(const SqlTree tree, Parse(sql));
    return sql_->Bind(tree, Inputs(), params_);
  }

  // "a bigint, b string" or the error as "line:col code: message".
  std::string Bound(const std::string& sql) {
    const auto schema = Bind(sql);
    if (!schema) return Brief(schema.error());
    std::string text;
    for (const auto& field : schema->fields) text += (text.empty() ? "" : ", ") + field.name + " " + field.type.ToString();
    return text;
  }

  static std::string Brief(const Error& error) {
    std::string text = fmt::format("{}:{} {}: {}", error.where.line, error.where.column, error.code, error.message);
    for (const Error& other : error.more) text += "\n" + Brief(other);
    return text;
  }

  static void ExpectStart(const std::string& found, const std::string& start) { EXPECT_EQ(found.substr(0, start.size()), start) << found; }

  // The error of parsing alone.
  std::string ParseError(const std::string& sql) {
    const auto tree = Parse(sql);
    return tree ? "parsed" : Brief(tree.error());
  }

  std::string Uses(const std::string& sql) {
    const auto tree = Parse(sql);
    if (!tree) return Brief(tree.error());
    std::string text;
    for (const TableUse& use : tree->uses())
      text += fmt::format("{}{}@{}:{}", text.empty() ? "" : " ", use.id(), use.where.line, use.where.column);
    return text;
  }

  std::unique_ptr<DuckDb> db_;
  std::unique_ptr<SqlFrontend> sql_;
  std::vector<std::string> schemas_ = {"bronze", "silver", "gold", "seed", "quarantine"};
  std::vector<Parameter> params_ = {
      {"run_started_at", "timestamp", "2024-05-06T07:08:09Z"}, {"run_date", "date", "2024-05-06"}, {"limit_to", "bigint", "10"}};
  std::vector<Error> warnings_;
};

}  // namespace sluice::engines
