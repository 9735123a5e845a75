#include "project/keys_common.h"

namespace sluice::project {

using config::Boolean;
using config::Either;
using config::Enum;
using config::ListOf;
using config::Literal;
using config::Mapped;
using config::Object;
using config::OneOrMore;
using config::Text;

namespace {

config::Type<LengthSpec> LengthType() {
  const auto exact = Mapped<LengthSpec, Placed<int64_t>>(config::At(config::Integer(0)),
                                                         [](Placed<int64_t> n) { return LengthSpec{n.value, n.value, false, n.where}; });
  return Either(exact, Bounds("length", "Length", "A number of characters (strings), bytes (binary) or items (lists)."));
}

config::Type<ContractColumnSpec> ColumnType() {
  using C = ContractColumnSpec;
  return Object<C>("column", "Column of a contract",
                   "One column of the table, and what its values must be. The rules are looked at in every row; NULL meets all of them but "
                   "`not_null`.")
      .Required("name", &C::name, Name("column"), "The column's name in the table.")
      .Optional("from", &C::from, Name("field"), "(the column's name)", "The field's name in the file, where it differs.")
      .Optional("start", &C::start, config::Integer(1, 1'000'000'000), "",
                "`format: fixed`: the field's first character in the line, from 1.")
      .Optional("width", &C::width, config::Integer(1, 1'000'000'000), "", "`format: fixed`: how many characters it has.")
      .Required("type", &C::type, DataTypeText(), "Its type; a text that is not exactly such a value is a violation, never rounded or cut.")
      .Optional("not_null", &C::not_null, Boolean(), "false", "NULL is a violation.")
      .Optional("pattern", &C::pattern, config::PlacedTextOf("pattern", "ORD[0-9]+"), "",
                "A regular expression that the whole text must match, in the part that RE2 and Java agree on.")
      .Optional("min", &C::min, Literal(), "", "The least value, inclusive.")
      .Optional("max", &C::max, Literal(), "", "The greatest value, inclusive.")
      .Optional("length", &C::length, LengthType(), "", "Its length: characters of a string, bytes of a binary, items of a list.")
      .Optional("values", &C::values, ListOf(Literal()), "", "The allowed values.")
      .Optional("on_fail", &C::on_fail,
                Enum<contract::OnFail>({{"quarantine", contract::OnFail::kQuarantine, "the row is set aside with its reasons"},
                                        {"block", contract::OnFail::kBlock, "the batch is refused"},
                                        {"warn", contract::OnFail::kWarn, "the row is kept and reported"}}),
                "quarantine", "What a violation of this column's rules does.")
      .Optional("where", &C::rule_where, config::Sql("SQL predicate"), "", "The rules hold only for rows where this is true.")
      .Optional(
          "formats", &C::formats, OneOrMore(config::PlacedTextOf("format", "%d.%m.%Y")), "(ISO 8601)",
          "How dates and timestamps are written, as strptime spells it; or `epoch_s`, `epoch_ms`, `epoch_us`: whole numbers since 1970. "
          "Tried in order.")
      .Optional("zone", &C::zone, config::PlacedTextOf("IANA zone", "Europe/Berlin"), "(the contract's)",
                "The zone of timestamps that are written without one.")
      .Optional("decimal", &C::decimal, config::PlacedTextOf("character", "\",\""), "(the contract's)",
                "CSV: what stands before a number's decimal places: `.` or `,`.")
      .Optional("thousands", &C::thousands, config::PlacedTextOf("character", "\".\""), "(the contract's)",
                "CSV: what may stand between a number's groups of three digits: `,` `.` `'` `_` or a blank. One that stands elsewhere is "
                "a violation.")
      .Optional("null_tokens", &C::null_tokens, OneOrMore(config::Word()), "(the contract's)", "Texts that mean NULL.")
      .Optional("trim", &C::trim, Boolean(), "(the contract's)", "Cut white space around the text.")
      .Optional("default", &C::default_value, Literal(), "", "The value where the field is NULL or absent.")
      .Optional("pii", &C::pii, Text("text", "email"), "", "What kind of personal data it is.")
      .Optional("description", &C::description, Text(), "", "What it means.")
      .Place(&C::where)
      .Given(&C::given)
      .Called("this column")
      .Slip("unique", "uniqueness is of the batch, not of a column: write unique: [COLUMN] beside columns:")
      .Slip("format", "write formats: \"%d.%m.%Y\", epoch_ms, or a list of them")
      .Slip("nullable", "write not_null: true where NULL is refused")
      .Slip("required", "write not_null: true")
      .Slip("data_type", "write type:")
      .Slip("enum", "write values: [a, b]")
      .Slip("accepted_values", "write values: [a, b]")
      .Slip("regex", "write pattern:")
      .Slip("tests", "write the rules as keys of the column: not_null: true, values: [a, b]")
      .Example("name: order_id\nfrom: Order Number\ntype: string\nnot_null: true\npattern: \"ORD[0-9]+\"")
      .Type();
}

config::Type<QuarantineLimitSpec> QuarantineLimitType() {
  using Q = QuarantineLimitSpec;
  const auto whole =
      Object<Q>("max_quarantined", "Limit of quarantined rows",
                "Above it the batch is refused: nothing is committed, the run exits with 3.")
          .Optional("share", &Q::share, config::Share(), "100%", "The share of a batch's records that may be quarantined.")
          .Optional("min_rows", &Q::min_rows, config::Integer(0), "0", "With fewer records in the batch the share is ignored.")
          .Optional("rows", &Q::rows, config::Integer(0), "", "The number of records that may be quarantined.")
          .Example("share: 5%\nmin_rows: 100")
          .Type();
  const auto brief = Mapped<Q, double>(config::Share(), [](double share) { return Q{share, 0, std::nullopt}; });
  return Either(brief, whole);
}

config::Type<ContractSpec> MakeContractType() {
  using C = ContractSpec;
  using namespace contract;
  return Object<C>("contract", "Contract", "What a source's rows must be. Without one the types are detected, recorded, and then hold.")
      .Required("columns", &C::columns, ListOf(ColumnType()), "The columns, in the table's order.")
      .Optional("rules", &C::rules, ListOf(CheckType()), "",
                "Rules over the row: `{ sql: PREDICATE, name: … }`, or a column's rule with an `on_fail` of its own.")
      .Optional("on_violation", &C::on_violation,
                Enum<OnViolation>({{"quarantine", OnViolation::kQuarantine, "rows that break a rule are set aside, the others are written"},
                                   {"fail", OnViolation::kFail, "one such row refuses the batch"}}),
                "quarantine", "What happens with rows that break the contract.")
      .Optional("on_new_column", &C::on_new_column,
                Enum<OnNewColumn>({{"evolve", OnNewColumn::kEvolve, "the table gets the column"},
                                   {"freeze", OnNewColumn::kFreeze, "it is ignored"},
                                   {"quarantine", OnNewColumn::kQuarantine, "rows that have it are set aside"}}),
                "evolve", "What happens with a field that the contract does not name.")
      .Optional("on_missing_column", &C::on_missing_column,
                Enum<OnMissingColumn>({{"fail", OnMissingColumn::kFail, "the batch is refused"},
                                       {"null", OnMissingColumn::kNull, "it is NULL, or its default"}}),
                "fail", "What happens when a file lacks a column.")
      .Optional("on_type_change", &C::on_type_change,
                Enum<OnTypeChange>({{"quarantine", OnTypeChange::kQuarantine, "values that do not fit are violations"},
                                    {"widen", OnTypeChange::kWiden, "the table's type is widened where no value is lost"},
                                    {"fail", OnTypeChange::kFail, "the batch is refused"}}),
                "quarantine", "What happens when a file's own type is another one.")
      .Optional("max_quarantined", &C::max_quarantined, QuarantineLimitType(), "100%", "How many rows of a batch may be quarantined.")
      .Optional("null_tokens", &C::null_tokens, OneOrMore(config::Word()), "[\"\"]", "Unquoted texts that mean NULL.")
      .Optional("trim", &C::trim, Boolean(), "false", "Cut white space around texts.")
      .Optional("zone", &C::zone, config::PlacedTextOf("IANA zone", "Europe/Berlin"), "(the project's `timezone`, if it has one)",
                "The zone of timestamps that are written without one.")
      .Optional("decimal", &C::decimal, config::PlacedTextOf("character", "\",\""), ".",
                "CSV: what stands before a number's decimal places: `.` or `,`.")
      .Optional("thousands", &C::thousands, config::PlacedTextOf("character", "\".\""), "(none)",
                "CSV: what may stand between a number's groups of three digits.")
      .Optional("unique", &C::unique, SomeNames("column"), "",
                "No two rows of a batch agree in these columns: the first by file and row stays, an identical copy is dropped and counted, "
                "another one quarantined.")
      .Place(&C::where)
      .Given(&C::given)
      .Slip("strict", "write on_new_column: quarantine")
      .Example(
          "on_new_column: evolve\nmax_quarantined: { share: 5%, min_rows: 100 }\ncolumns:\n"
          "  - { name: order_id, type: string, not_null: true, pattern: \"ORD[0-9]+\" }\n"
          "  - { name: total_amount, type: \"decimal(12,2)\", min: 0 }\n"
          "  - { name: status, type: string, values: [completed, pending, cancelled], on_fail: warn }\n"
          "rules:\n  - { sql: \"total_amount > 0 or status = 'cancelled'\", name: free_only_if_cancelled }")
      .Type();
}

}  // namespace

const config::Type<ContractSpec>& ContractType() {
  static const auto type = MakeContractType();
  return type;
}

}  // namespace sluice::project
