#include "project/keys_common.h"

namespace sluice::project {

using config::Enum;
using config::ListOf;
using config::Object;
using config::Sql;

namespace {

config::Type<ColumnSpecSpec> ModelColumnType() {
  using C = ColumnSpecSpec;
  return Object<C>("model_column", "Column of a model",
                   "What a column of the result is. Where any has a `type`, the model's schema is held to it.")
      .Required("name", &C::name, Name("column"), "The column's name.")
      .Optional("type", &C::type, DataTypeText(), "(what the SQL gives)",
                "Its type. A model that reads `this` must say the type of each column.")
      .Optional("description", &C::description, config::Text(), "", "What it means.")
      .Optional("pii", &C::pii, config::Text("text", "email"), "", "What kind of personal data it is.")
      .Place(&C::where)
      .Called("this column")
      .Slip("tests", "write them in the model's checks:")
      .Slip("checks", "write them in the model's checks:")
      .Slip("data_type", "write type:")
      .Slip("not_null", "write it in the model's checks: { not_null: [...] }")
      .Slip("unique", "write it in the model's checks: { unique: [...] }")
      .Example("name: order_id\ntype: string\ndescription: The shop's own number")
      .Type();
}

config::Type<Store> StoreType() {
  return Enum<Store>({{"view", Store::kView, "put into its readers' SQL"},
                      {"table", Store::kTable, "computed anew and replaced in one commit"},
                      {"append", Store::kAppend, "its rows are added"},
                      {"merge", Store::kMerge, "one row per `key`, the latest by `sequence_by`"},
                      {"scd2", Store::kScd2, "the history of each `key`"},
                      {"interval", Store::kInterval, "windows of time, each replaced as a whole"}});
}

config::Type<std::optional<OnChange>> OnChangeType() {
  const auto base =
      Enum<OnChange>({{"rebuild", OnChange::kRebuild, "the table is built anew"}, {"block", OnChange::kBlock, "the run stops and asks"}});
  return {base.shape, [base](const config::Node& node, config::Reader& reader, std::optional<OnChange>* out) {
            if (node.text == "forward") {
              reader.diagnostics.Add(UserError("not-yet", "on_change: forward is not supported yet")
                                         .At(node.where())
                                         .Hint("write on_change: rebuild or on_change: block"));
              return false;
            }
            OnChange value{};
            if (!base.read(node, reader, &value)) return false;
            *out = value;
            return true;
          }};
}

void AddStoreKeys(Object<ModelSpec>& object) {
  using M = ModelSpec;
  object.Optional("store", &M::store, StoreType(), "table", "How the result is kept.")
      .Optional("key", &M::key, SomeNames("column"), "", "`merge`, `scd2`: the columns that identify a row; never NULL. Required there.")
      .Optional("sequence_by", &M::sequence_by, SomeNames("column"), "",
                "`merge`, `scd2`: what tells which of two rows of a key is newer. Required there; `arrival`: the later batch.")
      .Optional("delete_when", &M::delete_when, Sql("SQL predicate"), "", "`merge`, `scd2`: a row for which this is true deletes its key.")
      .Optional("update", &M::update, SomeNames("column"), "(all)", "`merge`: the columns that an update may change.")
      .Optional("on_missing", &M::on_missing,
                Enum<OnMissing>({{"keep", OnMissing::kKeep, ""}, {"delete", OnMissing::kDelete, "for inputs that are whole snapshots"}}),
                "keep", "`merge`: what happens with keys that the input no longer has.")
      .Optional("track", &M::track, SomeNames("column"), "(all but `key` and `sequence_by`)",
                "`scd2`: the columns whose change makes a new version.")
      .Optional("on_delete", &M::on_delete,
                Enum<OnDelete>({{"ignore", OnDelete::kIgnore, "the last version stays current"},
                                {"close", OnDelete::kClose, "it ends at the time of the deletion"}}),
                "(`ignore`)", "`scd2`: what `delete_when` does to the current version.")
      .Optional("column", &M::column, Name("column"), "",
                "`interval`: the date or timestamp that says which window a row is in. Required there.")
      .Optional(
          "every", &M::every,
          Enum<Every>({{"hour", Every::kHour, ""}, {"day", Every::kDay, ""}, {"month", Every::kMonth, ""}, {"year", Every::kYear, ""}}),
          "day", "`interval`: the length of a window.")
      .Optional("lookback", &M::lookback, config::Integer(0, 100'000), "0",
                "`interval`: how many windows before the newest are computed again each time.")
      .Optional("start", &M::start, config::Literal(), "", "`interval`: where the first window begins. Required there.")
      .Optional("partition_by", &M::partition_by, SomeNames("column"), "", "Columns, or `year`, `month`, `day`, `hour` of one.")
      .Optional("readers", &M::readers,
                Enum<Readers>({{"any", Readers::kAny, "every reader of Delta tables"},
                               {"delta", Readers::kDelta, "readers that know deletion vectors"}}),
                "(`delta` in silver, else `any`)", "Who must be able to read the table's files.")
      .Optional("change_data_feed", &M::change_data_feed, config::Boolean(), "(where models read it by `new()` or `changes()`)",
                "Whether the table keeps what its commits change (`delta.enableChangeDataFeed`), for readers that follow it row by row.")
      .Optional("publish", &M::publish, Name("name"), "",
                "Models with the same name here are one batch: all are checked before any is shown, and shown together.");
  object.Nested("on_change", &M::on_change, OnChangeType(), "(`rebuild`; `block` in a protected environment)",
                "`append`, `merge`, `scd2`, `interval`: what happens when the SQL changes.");
}

config::Type<ModelSpec> MakeModelType() {
  using M = ModelSpec;
  Object<M> object("model", "Model",
                   "`models/LAYER/NAME.sql` holds one SELECT and makes the table `LAYER.NAME`; folders below the layer are free. "
                   "`NAME.yml` beside it says how the table is kept.");
  AddStoreKeys(object);
  object.Optional("columns", &M::columns, ListOf(ModelColumnType()), "", "What the columns are.")
      .Optional("checks", &M::checks, ListOf(CheckType()), "", "Rules over the result, before it is shown.")
      .Optional("maintenance", &M::maintenance, MaintenanceType(), "", "What runs do for the table beside its batches.");
  AddProperties(object);
  return object.Place(&M::where)
      .Given(&M::given)
      .Later("freshness", "write it as a check: { freshness: COLUMN, within: 24h }")
      .Slip("materialized", "write store: table, view, append, merge, scd2 or interval")
      .Slip("config", "write its keys at the top; materialized is called store")
      .Slip("unique_key", "write key:")
      .Slip("incremental_strategy", "write store: merge, append or interval")
      .Slip("tests", "write checks:")
      .Slip("data_tests", "write checks:")
      .Slip("name", "the file's name is the table's name")
      .Slip("schema", "the first folder below models/ is the layer")
      .Slip("alias", "rename the file")
      .Slip("models", "one .yml beside each .sql, its keys at the top")
      .Slip("version", "leave it out")
      .Slip("partitioned_by", "write partition_by:")
      .Slip("depends_on", "leave it out: the graph comes from the SQL")
      .Example(
          "store: merge\nkey: [order_id]\nsequence_by: [updated_at]\ndelete_when: \"status = 'deleted'\"\nchecks:\n"
          "  - { unique: [order_id] }\n  - { not_null: [order_id, order_date] }\n"
          "  - { relationship: customer_id, to: silver.customers.customer_id, on_fail: warn, tolerate: 0.1% }\n"
          "  - { column: status, values: [completed, pending, cancelled] }\n"
          "  - { sql: \"select * from this where total_amount < 0\", name: no_negative_totals }\n"
          "  - { accounts_for: bronze.orders, key: [order_id] }")
      .Type();
}

}  // namespace

const config::Type<ModelSpec>& ModelType() {
  static const auto type = MakeModelType();
  return type;
}

}  // namespace sluice::project
