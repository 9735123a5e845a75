#include "project/keys_common.h"

namespace sluice::project {

using config::Either;
using config::Integer;
using config::Mapped;
using config::Object;
using config::OneOrMore;
using config::Type;

Type<Placed<contract::DataType>> DataTypeText() {
  return config::Parsed<contract::DataType>(
      {"a type", "type", "decimal(12,2)", {"string"}, ""}, [](const std::string& text) -> Result<contract::DataType> {
        auto type = contract::ParseType(text);
        if (!type && type.error().hint.empty())
          type.error().hint =
              "types: boolean, tinyint, smallint, integer, bigint, float, double, decimal(p,s), string, binary, date, timestamp, "
              "timestamp_ntz, struct<…>, list<…>, map<…>";
        return type;
      });
}

Type<PlacedText> Name(const std::string& type) { return config::PlacedTextOf(type); }
Type<Texts> Names(const std::string& type) { return OneOrMore(Name(type)); }

Type<Texts> SomeNames(const std::string& type) {
  const auto names = Names(type);
  return {names.shape, [names](const config::Node& node, config::Reader& reader, Texts* out) {
            if (node.is_list() && node.items.empty()) return config::RefuseKind(node, *names.shape->parts[0], reader, "write at least one");
            return names.read(node, reader, out);
          }};
}

Type<config::Node> AnyKeys(const std::string& type) { return config::Raw(config::AnyShape(type)); }

Type<LengthSpec> Bounds(const std::string& name, const std::string& title, const std::string& doc) {
  return Object<LengthSpec>(name, title, doc)
      .Optional("min", &LengthSpec::min, Integer(0), "", "The least, inclusive.")
      .Optional("max", &LengthSpec::max, Integer(0), "", "The most, inclusive.")
      .Place(&LengthSpec::where)
      .Broken(&LengthSpec::broken)
      .Type();
}

Type<FreshnessSpec> FreshnessType() {
  auto whole = Object<FreshnessSpec>("freshness", "Freshness",
                                     "How old the newest data in bronze may be, looked at after each run and by `sluice check`. Beyond "
                                     "`warn` the report warns, beyond "
                                     "`within` the exit code is 3. New rows are never held back.")
                   .Optional("within", &FreshnessSpec::within, config::Duration(), "", "The age that is too much.")
                   .Optional("warn", &FreshnessSpec::warn, config::Duration(), "", "The age from which to warn.")
                   .Optional("of", &FreshnessSpec::of, Name("column"), "(`_ingested_at`: the last load)",
                             "The column whose greatest value tells the age.")
                   .Place(&FreshnessSpec::where)
                   .Broken(&FreshnessSpec::broken)
                   .Example("within: 24h\nwarn: 12h\nof: updated_at")
                   .Type();
  auto brief = Mapped<FreshnessSpec, Placed<int64_t>>(config::At(config::Duration()), [](Placed<int64_t> within) {
    FreshnessSpec spec;
    spec.within = within.value;
    spec.where = within.where;
    return spec;
  });
  return Either(brief, whole);
}

template <typename T>
void AddProperties(Object<T>& object) {
  // The properties lie one level down in the spec, and beside the other keys in the file.
  static const auto in = [](auto PropertiesSpec::* member, auto type) {
    using M = std::decay_t<decltype(std::declval<PropertiesSpec>().*member)>;
    return Type<PropertiesSpec>{type.shape, [member, type](const config::Node& node, config::Reader& reader, PropertiesSpec* out) {
                                  M value{};
                                  if (!type.read(node, reader, &value)) return false;
                                  out->*member = std::move(value);
                                  return true;
                                }};
  };
  const auto schedule =
      Mapped<std::optional<PlacedText>, PlacedText>(Name("schedule"), [](PlacedText name) { return std::optional(std::move(name)); });
  object.Nested("description", &T::properties, in(&PropertiesSpec::description, config::Text()), "", "What one row is, for people.")
      .Nested("owner", &T::properties, in(&PropertiesSpec::owner, config::Text("text", "data@example.com")), "", "Who answers for it.")
      .Nested("schedule", &T::properties, in(&PropertiesSpec::schedule, schedule), "", "One of the project's `schedules`.")
      .Nested("tags", &T::properties, in(&PropertiesSpec::tags, Names("tag")), "", "Words to select by: `-s tag:daily`.")
      .Nested("meta", &T::properties, in(&PropertiesSpec::meta, config::MapOf(config::Text())), "", "Anything else, kept as it is.");
}
template void AddProperties<SourceSpec>(Object<SourceSpec>&);
template void AddProperties<ModelSpec>(Object<ModelSpec>&);

}  // namespace sluice::project
