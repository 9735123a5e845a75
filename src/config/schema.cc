#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "config/interpolate.h"
#include "core/text.h"

namespace sluice::config {
namespace {

const std::vector<std::string> kAnyScalar = {"string", "number", "boolean"};

std::optional<int64_t> ParseInteger(const Node& node) {
  if (node.kind != Kind::kInteger) return std::nullopt;
  const std::string_view digits = node.text[0] == '+' ? std::string_view(node.text).substr(1) : std::string_view(node.text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseShare(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text = Trim(text.substr(0, text.size() - 1));
  const auto number = ParseNumber(text);
  if (!number) return std::nullopt;
  const double share = percent ? *number / 100 : *number;
  return share >= 0 && share <= 1 ? std::optional(share) : std::nullopt;
}

std::vector<std::string> NamesOf(const std::vector<Choice>& choices) {
  std::vector<std::string> names;
  for (const Choice& choice : choices) names.push_back(choice.name);
  return names;
}

std::string OneOf(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

const KnownKey* FindKnown(const Shape& shape, std::string_view key) {
  for (const KnownKey& known : shape.known)
    if (known.name == key) return &known;
  return nullptr;
}

void RefuseKey(const Entry& entry, const Shape& shape, Reader& reader) {
  if (const KnownKey* known = FindKnown(shape, entry.key)) {
    Error error = known->later ? UserError("not-yet", fmt::format("\"{}\" is not supported yet", entry.key))
                               : UserError("unknown-key", fmt::format("\"{}\" is no key of {}", entry.key, shape.phrase));
    reader.diagnostics.Add(std::move(error).At(entry.where()).Hint(known->advice));
    return;
  }
  const std::vector<std::string> keys = shape.Keys();
  reader.diagnostics.Add(
      UserError("unknown-key", fmt::format("\"{}\" is no key of {}{}", entry.key, shape.phrase, DidYouMean(entry.key, keys)))
          .At(entry.where())
          .Hint("the keys here are " + Join(keys, ", ")));
}

void ReportMissing(const Node& node, const Shape& shape, Reader& reader) {
  for (const FieldShape& field : shape.fields) {
    if (!field.required || node.Find(field.name)) continue;
    reader.diagnostics.Add(UserError("missing-key", fmt::format("{} lacks \"{}\"", shape.phrase, field.name))
                               .At(node.where())
                               .Hint(fmt::format("add {}: {}", field.name, field.doc)));
  }
}

Type<std::string> TextOfShape(ShapePtr shape) {
  return {shape, [shape](const Node& node, Reader& reader, std::string* out) {
            if (!node.is_scalar()) return RefuseKind(node, *shape, reader);
            if (IsUnreadable(node, reader)) return false;
            *out = node.text;
            return true;
          }};
}

}  // namespace

bool IsUnreadable(const Node& node, Reader& reader) {
  if (node.broken || !node.late) return node.broken;
  const std::string reference = LateReferences(node.text)[0];
  reader.diagnostics.Add(UserError("late-value", fmt::format("\"{}\" takes no ${{{}}}", reader.key, reference))
                             .At(node.where())
                             .Hint("env, file and secret are read late, for places and passwords only; for a value that may be seen "
                                   "declare a var and pass --var"));
  return true;
}

ShapePtr MakeShape(Shape shape) { return std::make_shared<const Shape>(std::move(shape)); }

ShapePtr MakeScalarShape(ScalarShape scalar) {
  Shape shape;
  shape.kind = Shape::Kind::kScalar;
  shape.noun = std::move(scalar.noun);
  shape.type = std::move(scalar.type);
  shape.example = std::move(scalar.example);
  shape.json_types = std::move(scalar.json_types);
  shape.json_pattern = std::move(scalar.json_pattern);
  return MakeShape(std::move(shape));
}

ShapePtr AnyShape(const std::string& type) {
  Shape shape;
  shape.type = type;
  shape.noun = type;
  return MakeShape(std::move(shape));
}

ShapePtr ListShape(ShapePtr element) {
  Shape shape;
  shape.kind = Shape::Kind::kList;
  shape.noun = "a list";
  shape.parts = {std::move(element)};
  return MakeShape(std::move(shape));
}

ShapePtr MapShape(ShapePtr element) {
  Shape shape;
  shape.kind = Shape::Kind::kMap;
  shape.noun = "a map";
  shape.parts = {std::move(element)};
  return MakeShape(std::move(shape));
}

ShapePtr EitherShape(ShapePtr first, ShapePtr second) {
  Shape shape;
  shape.kind = Shape::Kind::kEither;
  shape.noun = first->noun + " or " + second->noun;
  shape.parts = {std::move(first), std::move(second)};
  return MakeShape(std::move(shape));
}

bool IsWorthKeeping(const Node& node, const Shape& shape) {
  if (shape.kind == Shape::Kind::kEither) return IsWorthKeeping(node, *shape.parts[1]);
  if (node.is_list()) return shape.kind == Shape::Kind::kList;
  return node.is_map() && (shape.kind == Shape::Kind::kObject || shape.kind == Shape::Kind::kMap);
}

bool RefuseKind(const Node& node, const Shape& shape, Reader& reader, const std::string& hint) {
  if (node.broken) return false;
  const std::string example = shape.example.empty() || shape.kind == Shape::Kind::kObject ? "" : " such as " + shape.example;
  std::string advice = hint;
  if (node.is_null())
    advice = "give it a value, or remove the key";
  else if (advice.empty())
    advice = "see the reference page for what this key takes";
  const std::string subject = reader.key.empty() ? "this" : fmt::format("\"{}\"", reader.key);
  reader.diagnostics.Add(UserError("wrong-type", fmt::format("{} must be {}{}, found {}", subject, shape.noun, example, Describe(node)))
                             .At(node.where())
                             .Hint(advice));
  return false;
}

Type<std::string> Text(const std::string& type, const std::string& example) {
  return TextOfShape(MakeScalarShape({"a text", type, example, kAnyScalar, ""}));
}

Type<std::string> Word() {
  const auto text = Text();
  return {text.shape, [text](const Node& node, Reader& reader, std::string* out) {
            if (!node.is_null() || node.text.empty()) return text.read(node, reader, out);
            *out = node.text;
            return true;
          }};
}

Type<PlacedText> PlacedTextOf(const std::string& type, const std::string& example) { return At(Text(type, example)); }

Type<PlacedText> Literal() { return At(TextOfShape(MakeScalarShape({"a value", "value", "", kAnyScalar, ""}))); }

Type<PlacedText> Sql(const std::string& type) {
  const ShapePtr shape = MakeScalarShape({"SQL", type, "", {"string", "boolean"}, ""});
  return {shape, [shape](const Node& node, Reader& reader, PlacedText* out) {
            if (!node.is_scalar() || node.broken) return RefuseKind(node, *shape, reader);
            if (node.interpolated) {
              reader.diagnostics.Add(UserError("template-in-sql", fmt::format("\"{}\" is SQL, and SQL has no ${{…}}", reader.key))
                                         .At(node.where())
                                         .Hint("write $name for the var \"name\": it is bound as a value"));
              return false;
            }
            *out = {node.text, node.text_mark.location()};
            return true;
          }};
}

Type<PlacedText> LateText(const std::string& type, const std::string& example, std::vector<std::string> json_types) {
  const ShapePtr shape = MakeScalarShape({"a text", type, example, std::move(json_types), ""});
  return {shape, [shape](const Node& node, Reader& reader, PlacedText* out) {
            if (!node.is_scalar() || node.broken) return RefuseKind(node, *shape, reader);
            *out = {node.late ? node.text : Escape(node.text), node.where()};
            return true;
          }};
}

Type<bool> Boolean() {
  const ShapePtr shape = MakeScalarShape({"true or false", "boolean", "", {"boolean"}, ""});
  return {shape, [shape](const Node& node, Reader& reader, bool* out) {
            if (node.kind != Kind::kBoolean) return RefuseKind(node, *shape, reader, "YAML 1.2 knows true and false only, without quotes");
            *out = ToLower(node.text) == "true";
            return true;
          }};
}

Type<int64_t> Integer(int64_t least, int64_t most) {
  std::string noun = "a whole number";
  if (least != INT64_MIN) noun += fmt::format(" of {} or more", least);
  if (most != INT64_MAX) noun += fmt::format(" up to {}", most);
  const ShapePtr shape = MakeScalarShape({noun, "integer", "", {"integer"}, ""});
  return {shape, [shape, least, most](const Node& node, Reader& reader, int64_t* out) {
            const auto value = ParseInteger(node);
            if (!value || *value < least || *value > most)
              return RefuseKind(node, *shape, reader,
                                fmt::format("write digits only, without quotes: {}", std::clamp<int64_t>(10, least, most)));
            *out = *value;
            return true;
          }};
}

Type<int64_t> Duration() {
  const ShapePtr shape = MakeScalarShape({"a duration", "duration", "24h", {"string"}, "^([0-9]+(ms|s|m|h|d|w))+$"});
  return {shape, [shape](const Node& node, Reader& reader, int64_t* out) {
            const auto micros = node.is_scalar() ? ParseDuration(node.text) : std::nullopt;
            if (!micros) return RefuseKind(node, *shape, reader, "the units are ms, s, m, h, d and w: 90s, 1h30m, 7d");
            *out = *micros;
            return true;
          }};
}

Type<double> Share() {
  const ShapePtr shape = MakeScalarShape({"a share", "share", "5%", {"string", "number"}, "^[0-9]+(\\.[0-9]+)? *%?$"});
  return {shape, [shape](const Node& node, Reader& reader, double* out) {
            const auto share = node.is_scalar() ? ParseShare(node.text) : std::nullopt;
            if (!share) return RefuseKind(node, *shape, reader, "write a percentage (5%) or a fraction from 0 to 1 (0.05)");
            *out = *share;
            return true;
          }};
}

Type<Node> Raw(ShapePtr shape) {
  return {std::move(shape), [](const Node& node, Reader&, Node* out) {
            *out = node;
            return true;
          }};
}

int ReadChoice(const Node& node, const Shape& shape, Reader& reader) {
  const std::vector<std::string> names = NamesOf(shape.choices);
  for (size_t i = 0; i < names.size(); ++i)
    if ((node.is_scalar() || node.is_null()) && node.text == names[i]) return static_cast<int>(i);
  if (node.broken) return -1;
  const std::string near = node.is_scalar() ? DidYouMean(node.text, names) : "";
  std::string hint = "choose one of: ";
  for (size_t i = 0; i < names.size(); ++i)
    hint += (i > 0 ? "; " : "") + names[i] + (shape.choices[i].doc.empty() ? "" : " (" + shape.choices[i].doc + ")");
  reader.diagnostics.Add(
      UserError("bad-choice", fmt::format("\"{}\" must be {}, found {}{}", reader.key, OneOf(names), Describe(node), near))
          .At(node.where())
          .Hint(hint));
  return -1;
}

bool ReadFields(const Node& node, const ObjectFields& fields, Reader& reader, void* target) {
  if (!node.is_map()) return RefuseKind(node, fields.shape, reader, "write key: value pairs, each on its own line");
  const std::string outer = reader.key;
  const size_t errors_before = reader.diagnostics.errors.size();
  for (const Entry& entry : node.entries) {
    const FieldShape* field = fields.shape.Find(entry.key);
    if (!field) {
      RefuseKey(entry, fields.shape, reader);
      continue;
    }
    reader.key = entry.key;
    fields.readers[field - fields.shape.fields.data()](entry.value, reader, target);
  }
  reader.key = outer;
  if (!reader.partial) ReportMissing(node, fields.shape, reader);
  return reader.diagnostics.errors.size() == errors_before;
}

GivenKeys KeysOf(const Node& map) {
  GivenKeys keys;
  for (const Entry& entry : map.entries) keys.push_back({entry.key, entry.where(), entry.value.inherited});
  return keys;
}

}  // namespace sluice::config
