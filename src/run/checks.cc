#include "run/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "run/accounts_for.h"

namespace sluice::run {
namespace {

using project::Check;

constexpr int kSamples = 3;
constexpr size_t kSampleWidth = 160;

Result<std::string> Lowered(Session& session, const PinOf& pin_of, const std::string& sql, const Location& where, const OwnRelations& own) {
  auto placed = [&](Error error) {
    if (!error.where.known() || error.where.file == where.file) error.where = where;
    return Fail(std::move(error));
  };
  auto tree = session.sql().Tree(sql, where.file);
  if (!tree) return placed(tree.error());
  auto relations = RelationsFor(session, pin_of, tree->uses(), nullptr, own);
  if (!relations) return placed(relations.error());
  auto lowered = LowerSql(session, *tree, *relations);
  if (!lowered) return placed(lowered.error());
  return *lowered;
}

int64_t ToInt(const std::optional<std::string>& text) {
  int64_t n = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), n);
  return n;
}

Result<std::vector<std::string>> SampleRows(engines::Connection& connection, const std::string& sql,
                                            const std::vector<engines::Parameter>& all) {
  const auto params = ParametersIn(sql, all);
  // By all columns, so that the same data shows the same rows whatever thread was first.
  const std::string limited = fmt::format("SELECT * FROM ({}) ORDER BY ALL LIMIT {}", sql, kSamples);
  SLUICE_TRY(const auto columns, connection.Describe(limited, params));
  SLUICE_TRY(const auto rows, connection.Rows(limited, params));
  std::vector<std::string> samples;
  for (const auto& row : rows) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) text += fmt::format("{}{}={}", i ? ", " : "", columns[i].name, row[i].value_or("NULL"));
    if (text.size() > kSampleWidth) text = text.substr(0, kSampleWidth) + "…";
    samples.push_back(std::move(text));
  }
  return samples;
}

CheckStatus StatusOf(const Check& check, const CheckOutcome& outcome) {
  if (outcome.violations == 0) return CheckStatus::kPassed;
  const bool few = outcome.violations <= check.tolerate_rows;
  const bool small = check.tolerate_share > 0 && outcome.checked_rows > 0 &&
                     static_cast<double>(outcome.violations) <= check.tolerate_share * static_cast<double>(outcome.checked_rows);
  if (few || small) return CheckStatus::kTolerated;
  return check.on_fail == project::Severity::kWarn ? CheckStatus::kWarned : CheckStatus::kFailed;
}

Result<CheckOutcome> RunCheck(Session& session, const PinOf& pin_of, engines::Connection& connection, const plan::Node& node,
                              const Check& check, const OwnRelations& own, const std::vector<engines::Parameter>& params) {
  CheckOutcome outcome;
  outcome.name = check.name;
  outcome.where = check.where;
  outcome.description = check.description;
  SLUICE_TRY(const std::string sql, Lowered(session, pin_of, plan::CheckSql(check, node.model), check.where, own));
  auto count = connection.Scalar(fmt::format("SELECT count(*) FROM ({})", sql), ParametersIn(sql, params));
  if (!count) {
    Error error = count.error();
    error.message = fmt::format("check {} of {}: {}", check.name, node.table, error.message);
    error.where = check.where;
    if (error.code == "sql") error.kind = ErrorKind::kUser;
    return Fail(std::move(error));
  }
  outcome.violations = ToInt(*count);
  if (outcome.violations == 0) return outcome;
  SLUICE_TRY(const std::string rows_sql, Lowered(session, pin_of, plan::CheckedRowsSql(check), check.where, own));
  SLUICE_TRY(const auto rows, connection.Scalar(rows_sql, ParametersIn(rows_sql, params)));
  outcome.checked_rows = ToInt(rows);
  SLUICE_TRY(outcome.samples, SampleRows(connection, sql, params));
  outcome.status = StatusOf(check, outcome);
  if (check.kind == Check::Kind::kAccountsFor && node.model != nullptr && outcome.status != CheckStatus::kTolerated) {
    SLUICE_TRY(outcome.explained, ExplainMissingKeys(session, pin_of, connection, node, check, sql, params));
  }
  return outcome;
}

}  // namespace

Result<std::vector<CheckOutcome>> RunChecks(Session& session, const PinOf& pin_of, const plan::Node& node, const OwnRelations& own) {
  const auto& checks = node.source ? node.source->checks : node.model->checks;
  std::vector<CheckOutcome> outcomes;
  if (checks.empty()) return outcomes;
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  const auto params = session.Parameters(session.clock().Now());
  for (const Check& check : checks) {
    if (session.cancelled()) return Fail(CancelledError());
    SLUICE_TRY(CheckOutcome outcome, RunCheck(session, pin_of, *connection, node, check, own, params));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

bool Blocks(const std::vector<CheckOutcome>& outcomes) {
  return std::any_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.status == CheckStatus::kFailed; });
}

const char* ToString(CheckStatus status) {
  static constexpr const char* kNames[] = {"passed", "tolerated", "warned", "failed"};
  return kNames[static_cast<int>(status)];
}

}  // namespace sluice::run
