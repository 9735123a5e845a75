#pragma once
// The language in which the project's files are defined. One definition gives the decoder (all errors at once, with places), the
// JSON Schema and the reference page:
//
//   Object<Range>("range", "Range", "A closed range.")
//       .Required("min", &Range::min, Integer(), "The least value.")
//       .Optional("max", &Range::max, Integer(), "100", "The greatest value.")
//       .Type()
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/node.h"
#include "config/shape.h"
#include "core/error.h"
#include "core/result.h"

namespace sluice::config {

// A value and where it was written.
template <typename T>
struct Placed {
  T value{};
  Location where;
};
using PlacedText = Placed<std::string>;

// One pass of decoding.
struct Reader {
  Diagnostics& diagnostics;
  bool partial = false;  // required keys may be missing (defaults, environments)
  std::string key;       // the key whose value is being read, for messages
};

// Reads a node into *out, which was default-made; on false errors were added and *out is unspecified.
template <typename T>
struct Type {
  ShapePtr shape;
  std::function<bool(const Node&, Reader&, T*)> read;
};

// A key that a map had.
struct GivenKey {
  std::string name;
  Location where;
  bool inherited = false;
};
using GivenKeys = std::vector<GivenKey>;

// "wrong-type": "\"key\" must be NOUN, found …". Returns false.
bool RefuseKind(const Node& node, const Shape& shape, Reader& reader, const std::string& hint = "");

struct ScalarShape {
  std::string noun, type, example;
  std::vector<std::string> json_types = {"string"};
  std::string json_pattern;
};
// Is the scalar not to be read: because an error about it was reported, or because it has ${env:…}, ${file:…} or ${secret:…} where
// these are not taken ("late-value")?
bool IsUnreadable(const Node& node, Reader& reader);
// Of a list or map that is wrong somewhere inside the rest is still worth looking at.
bool IsWorthKeeping(const Node& node, const Shape& shape);
ShapePtr MakeScalarShape(ScalarShape scalar);
ShapePtr MakeShape(Shape shape);

Type<std::string> Text(const std::string& type = "text", const std::string& example = "");
// A text where NULL and null without quotes are words like any other.
Type<std::string> Word();
Type<PlacedText> PlacedTextOf(const std::string& type = "text", const std::string& example = "");
// A text with SQL in it; placed at its first byte. Refuses ${…}: "template-in-sql".
Type<PlacedText> Sql(const std::string& type);
// A text that may have late references: the only ones that do. Give it to Resolve.
Type<PlacedText> LateText(const std::string& type, const std::string& example, std::vector<std::string> json_types = {"string"});
// Any scalar, as it is written: a literal of some column's type.
Type<PlacedText> Literal();
Type<bool> Boolean();
Type<int64_t> Integer(int64_t least = INT64_MIN, int64_t most = INT64_MAX);
// Microseconds; "24h".
Type<int64_t> Duration();
// "5%" or 0.05 → 0.05; between 0 and 1.
Type<double> Share();
// Any node, described by `shape`.
Type<Node> Raw(ShapePtr shape);
ShapePtr AnyShape(const std::string& type);

// A scalar read by `parse` from its text; its error is placed at the scalar.
template <typename T>
Type<Placed<T>> Parsed(ScalarShape scalar, const std::function<Result<T>(const std::string&)>& parse) {
  ShapePtr shape = MakeScalarShape(std::move(scalar));
  return {shape, [shape, parse](const Node& node, Reader& reader, Placed<T>* out) {
            if (!node.is_scalar()) return RefuseKind(node, *shape, reader);
            if (IsUnreadable(node, reader)) return false;
            Result<T> value = parse(node.text);
            if (!value) {
              reader.diagnostics.Add(std::move(value).error().At(node.where()));
              return false;
            }
            *out = {*std::move(value), node.where()};
            return true;
          }};
}

template <typename T>
Type<Placed<T>> At(const Type<T>& type) {
  return {type.shape, [type](const Node& node, Reader& reader, Placed<T>* out) {
            out->where = node.where();
            return type.read(node, reader, &out->value);
          }};
}

// Index of the choice that `node` names, or -1 with an error ("bad-choice").
int ReadChoice(const Node& node, const Shape& shape, Reader& reader);

template <typename E>
struct EnumChoice {
  std::string name;
  E value;
  std::string doc;
};

template <typename E>
Type<E> Enum(const std::vector<EnumChoice<E>>& choices) {
  Shape shape;
  shape.kind = Shape::Kind::kEnum;
  for (const auto& choice : choices) shape.choices.push_back({choice.name, choice.doc});
  ShapePtr made = MakeShape(std::move(shape));
  return {made, [made, choices](const Node& node, Reader& reader, E* out) {
            const int index = ReadChoice(node, *made, reader);
            if (index >= 0) *out = choices[index].value;
            return index >= 0;
          }};
}

ShapePtr ListShape(ShapePtr element);
ShapePtr MapShape(ShapePtr element);
ShapePtr EitherShape(ShapePtr first, ShapePtr second);

template <typename T>
Type<std::vector<T>> ListOf(const Type<T>& element) {
  ShapePtr shape = ListShape(element.shape);
  return {shape, [shape, element](const Node& node, Reader& reader, std::vector<T>* out) {
            if (!node.is_list()) return RefuseKind(node, *shape, reader, "write it in [ ], or each item on its own line behind a -");
            bool good = true;
            for (const Node& item : node.items) {
              T value{};
              const bool read = element.read(item, reader, &value);
              if (read || IsWorthKeeping(item, *element.shape)) out->push_back(std::move(value));
              good &= read;
            }
            return good;
          }};
}

// Scalars and nulls by `scalar`, everything else by `other`.
template <typename T>
Type<T> Either(const Type<T>& scalar, const Type<T>& other) {
  return {EitherShape(scalar.shape, other.shape), [scalar, other](const Node& node, Reader& reader, T* out) {
            return node.is_scalar() || node.is_null() ? scalar.read(node, reader, out) : other.read(node, reader, out);
          }};
}

// `map` applied to what `type` reads.
template <typename To, typename From>
Type<To> Mapped(const Type<From>& type, const std::function<To(From)>& map) {
  return {type.shape, [type, map](const Node& node, Reader& reader, To* out) {
            From value{};
            const bool read = type.read(node, reader, &value);
            if (read) *out = map(std::move(value));
            return read;
          }};
}

// A list, or one item without brackets.
template <typename T>
Type<std::vector<T>> OneOrMore(const Type<T>& element) {
  return Either(Mapped<std::vector<T>, T>(element, [](T one) { return std::vector<T>{std::move(one)}; }), ListOf(element));
}

// Keys are the user's own names.
template <typename T>
Type<std::vector<std::pair<PlacedText, T>>> MapOf(const Type<T>& element) {
  using Pairs = std::vector<std::pair<PlacedText, T>>;
  ShapePtr shape = MapShape(element.shape);
  return {shape, [shape, element](const Node& node, Reader& reader, Pairs* out) {
            if (!node.is_map()) return RefuseKind(node, *shape, reader);
            bool good = true;
            const std::string outer = reader.key;
            for (const Entry& entry : node.entries) {
              T value{};
              reader.key = entry.key;
              const bool read = element.read(entry.value, reader, &value);
              if (read || IsWorthKeeping(entry.value, *element.shape))
                out->emplace_back(PlacedText{entry.key, entry.where()}, std::move(value));
              good &= read;
            }
            reader.key = outer;
            return good;
          }};
}

// How one key is read into the object at `target`.
using FieldReader = std::function<bool(const Node&, Reader&, void* target)>;
struct ObjectFields {
  Shape shape;
  std::vector<FieldReader> readers;  // parallel to shape.fields
};
// The untyped half of Object: reads every key, reports unknown, later and missing ones.
bool ReadFields(const Node& node, const ObjectFields& fields, Reader& reader, void* target);
GivenKeys KeysOf(const Node& map);

template <typename T>
class Object {
 public:
  Object(std::string name, std::string title, std::string doc) {
    fields_.shape.kind = Shape::Kind::kObject;
    fields_.shape.name = std::move(name);
    fields_.shape.title = std::move(title);
    fields_.shape.doc = std::move(doc);
    fields_.shape.noun = "a map";
    fields_.shape.phrase = fields_.shape.name;
  }

  template <typename M>
  Object& Required(std::string name, M T::* member, const config::Type<M>& type, std::string doc) {
    return Add({std::move(name), type.shape, true, "", std::move(doc), ""}, [member, type](const Node& node, Reader& reader, void* target) {
      return type.read(node, reader, &(static_cast<T*>(target)->*member));
    });
  }

  // `default_text` is read where the key is absent, unless it is "", prose in (parentheses) or a [list]: then it is T's own.
  template <typename M>
  Object& Optional(std::string name, M T::* member, const config::Type<M>& type, std::string default_text, std::string doc) {
    if (!default_text.empty() && default_text[0] != '(' && default_text[0] != '[')
      defaults_.push_back(DefaultOf(member, type, default_text));
    return Add({std::move(name), type.shape, false, std::move(default_text), std::move(doc), ""},
               [member, type](const Node& node, Reader& reader, void* target) {
                 M value{};
                 const bool read = type.read(node, reader, &value);
                 if (read || IsWorthKeeping(node, *type.shape)) static_cast<T*>(target)->*member = std::move(value);
                 return read;
               });
  }

  template <typename M>
  Object& Optional(std::string name, std::optional<M> T::* member, const config::Type<M>& type, std::string default_text, std::string doc) {
    return Add({std::move(name), type.shape, false, std::move(default_text), std::move(doc), ""},
               [member, type](const Node& node, Reader& reader, void* target) {
                 M value{};
                 const bool read = type.read(node, reader, &value);
                 if (read || IsWorthKeeping(node, *type.shape)) static_cast<T*>(target)->*member = std::move(value);
                 return read;
               });
  }

  // A key that `type` reads into a part of *member, leaving the rest of it as it is.
  template <typename M>
  Object& Nested(std::string name, M T::* member, const config::Type<M>& type, std::string default_text, std::string doc) {
    return Add({std::move(name), type.shape, false, std::move(default_text), std::move(doc), ""},
               [member, type](const Node& node, Reader& reader, void* target) {
                 return type.read(node, reader, &(static_cast<T*>(target)->*member));
               });
  }

  // A YAML text of the object; tests decode it.
  Object& Example(std::string yaml) {
    fields_.shape.example = std::move(yaml);
    return *this;
  }
  // A key of the design that is refused for now.
  Object& Later(std::string name, std::string advice) {
    fields_.shape.known.push_back({std::move(name), std::move(advice), true});
    return *this;
  }
  // A key that people try, and what to write instead.
  Object& Slip(std::string name, std::string advice) {
    fields_.shape.known.push_back({std::move(name), std::move(advice), false});
    return *this;
  }
  Object& Place(Location T::* member) {
    place_ = member;
    return *this;
  }
  // Set where anything in the object was wrong.
  Object& Broken(bool T::* member) {
    broken_ = member;
    return *this;
  }
  // What messages call it; else its name.
  Object& Called(std::string phrase) {
    fields_.shape.phrase = std::move(phrase);
    return *this;
  }
  Object& Given(GivenKeys T::* member) {
    given_ = member;
    return *this;
  }

  config::Type<T> Type() const {
    auto fields = std::make_shared<const ObjectFields>(fields_);
    const ShapePtr shape(fields, &fields->shape);
    return {shape,
            [fields, place = place_, given = given_, broken = broken_, defaults = defaults_](const Node& node, Reader& reader, T* out) {
              for (const auto& apply : defaults) apply(out);
              if (place) out->*place = node.where();
              if (given) out->*given = KeysOf(node);
              const bool good = ReadFields(node, *fields, reader, out);
              if (broken) out->*broken = !good;
              return good;
            }};
  }

 private:
  Object& Add(FieldShape field, FieldReader reader) {
    fields_.shape.fields.push_back(std::move(field));
    fields_.readers.push_back(std::move(reader));
    return *this;
  }

  template <typename M>
  static std::function<void(T*)> DefaultOf(M T::* member, const config::Type<M>& type, const std::string& text) {
    return [member, type, node = ScalarOf(text)](T* target) {
      Diagnostics none;
      Reader reader{none, false, ""};
      M value{};
      if (type.read(node, reader, &value)) target->*member = std::move(value);
    };
  }

  ObjectFields fields_;
  Location T::* place_ = nullptr;
  GivenKeys T::* given_ = nullptr;
  bool T::* broken_ = nullptr;
  std::vector<std::function<void(T*)>> defaults_;
};

}  // namespace sluice::config
