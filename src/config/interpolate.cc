#include "config/interpolate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "core/text.h"

namespace sluice::config {
namespace {

// A stretch of a text: plain, or what stands between ${ and }.
struct Piece {
  bool reference = false;
  std::string text;  // a reference's inside: "var:start"
  size_t offset = 0;
};

// nullopt: a "${" without its "}" (at *broken).
std::optional<std::vector<Piece>> SplitPieces(std::string_view text, size_t* broken) {
  std::vector<Piece> pieces;
  std::string plain;
  for (size_t i = 0; i < text.size();) {
    if (text.substr(i).starts_with("$${")) {
      plain += "$${";
      i += 3;
      continue;
    }
    if (!text.substr(i).starts_with("${")) {
      plain += text[i++];
      continue;
    }
    const size_t end = text.find('}', i);
    if (end == std::string_view::npos) {
      *broken = i;
      return std::nullopt;
    }
    if (!plain.empty()) pieces.push_back({false, std::exchange(plain, ""), 0});
    pieces.push_back({true, std::string(text.substr(i + 2, end - i - 2)), i});
    i = end + 1;
  }
  if (!plain.empty()) pieces.push_back({false, plain, 0});
  return pieces;
}

struct Reference {
  std::string scheme, name;
};

Reference ParseReference(const std::string& inside) {
  const size_t colon = inside.find(':');
  if (colon == std::string::npos) return {"", inside};
  return {inside.substr(0, colon), inside.substr(colon + 1)};
}

// The place of a byte of a scalar's text; exact on its first line, which is where texts with references nearly always are.
Location PlaceIn(const Node& node, size_t offset) {
  Location where = node.text_mark.location();
  if (node.text.find('\n') >= offset) where.column += static_cast<int>(offset);
  return where;
}

Error BadReference(const Reference& reference, const std::string& inside) {
  if (reference.scheme.empty())
    return UserError("bad-interpolation", fmt::format("${{{}}} does not say what it names", inside))
        .Hint(
            fmt::format("write ${{var:{}}} for a var, ${{env:{}}} for an environment variable; $${{ for the text itself", inside, inside));
  static const std::vector<std::string> kSchemes = {"var", "env", "file", "secret"};
  return UserError("bad-interpolation",
                   fmt::format("${{{}}}: there is no \"{}:\"{}", inside, reference.scheme, DidYouMean(reference.scheme, kSchemes)))
      .Hint("it may be var:, env:, file: or secret:");
}

class Interpolator {
 public:
  Interpolator(const std::map<std::string, Node>& vars, Diagnostics& diagnostics) : vars_(vars), diagnostics_(diagnostics) {
    for (const auto& [name, value] : vars) names_.push_back(name);
  }

  Node Walk(const Node& node) {
    if (node.kind == Kind::kText) return node.text.find("${") == std::string::npos ? node : Scalar(node);
    if (!node.is_list() && !node.is_map()) return node;
    Node out = node;
    for (Node& item : out.items) item = Walk(item);
    for (Entry& entry : out.entries) entry.value = Walk(entry.value);
    return out;
  }

 private:
  Node Scalar(const Node& node) {
    size_t broken = 0;
    const auto pieces = SplitPieces(node.text, &broken);
    if (!pieces) {
      diagnostics_.Add(
          UserError("bad-interpolation", "this ${ has no }").At(PlaceIn(node, broken)).Hint("close it, or write $${ for the text itself"));
      Node out = node;
      out.broken = true;
      return out;
    }
    Node out = node;
    out.text.clear();
    for (const Piece& piece : *pieces) {
      if (!piece.reference) {
        out.text += piece.text;
        continue;
      }
      out.interpolated = true;
      const Reference reference = ParseReference(piece.text);
      if (reference.scheme == "var") {
        const Node* value = Var(reference.name, node, piece.offset);
        if (value && pieces->size() == 1) out.kind = value->kind;
        if (value)
          out.text += value->text;
        else
          out.broken = true;
      } else {
        out.late = true;
        if (!CheckLate(reference, piece, node)) out.broken = true;
        out.text += "${" + piece.text + "}";
      }
    }
    if (!out.late) out.text = Unescape(out.text);
    return out;
  }

  const Node* Var(const std::string& name, const Node& node, size_t offset) {
    const auto found = vars_.find(name);
    if (found != vars_.end()) return &found->second;
    diagnostics_.Add(UserError("unknown-var", fmt::format("there is no var \"{}\"{}", name, DidYouMean(name, names_)))
                         .At(PlaceIn(node, offset))
                         .Hint(fmt::format("declare it in sluice.yml, vars: {{ {}: … }}; --var {}=… then overrides it", name, name)));
    return nullptr;
  }

  bool CheckLate(const Reference& reference, const Piece& piece, const Node& node) {
    const bool known = reference.scheme == "env" || reference.scheme == "file" || reference.scheme == "secret";
    if (known && !reference.name.empty()) return true;
    diagnostics_.Add(BadReference(known ? Reference{"", piece.text} : reference, piece.text).At(PlaceIn(node, piece.offset)));
    return false;
  }

  const std::map<std::string, Node>& vars_;
  std::vector<std::string> names_;
  Diagnostics& diagnostics_;
};

Result<std::string> LateValue(const Reference& reference, const Surroundings& surroundings) {
  if (reference.scheme == "env") {
    if (auto value = surroundings.environment(reference.name)) return *value;
    return Fail(UserError("unset-variable", fmt::format("the environment variable {} is not set", reference.name))
                    .Hint("set it, or override this key in your environment"));
  }
  if (reference.scheme == "file") {
    auto contents = surroundings.read_file(reference.name);
    if (!contents)
      return Fail(UserError("unreadable-file", fmt::format("the file {} cannot be read", reference.name))
                      .Hint("a path is relative to the project's folder"));
    while (contents->ends_with('\n') || contents->ends_with('\r')) contents->pop_back();
    return contents;
  }
  return Fail(UserError("not-yet", fmt::format("${{{}:…}} is not supported yet", reference.scheme)).Hint("use ${env:…} or ${file:…}"));
}

}  // namespace

Node Interpolate(const Node& node, const std::map<std::string, Node>& vars, Diagnostics& diagnostics) {
  return Interpolator(vars, diagnostics).Walk(node);
}

std::vector<std::string> LateReferences(std::string_view text) {
  std::vector<std::string> references;
  size_t broken = 0;
  for (const Piece& piece : SplitPieces(text, &broken).value_or(std::vector<Piece>{}))
    if (piece.reference) references.push_back(piece.text);
  return references;
}

Surroundings ProcessSurroundings(const std::string& root) {
  return {[](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value ? std::optional<std::string>(value) : std::nullopt;
          },
          [root](const std::string& path) -> Result<std::string> {
            std::ifstream file(path.starts_with('/') ? path : root + "/" + path, std::ios::binary);
            if (!file) return Fail(NotFoundError("unreadable-file", path));
            return std::string(std::istreambuf_iterator<char>(file), {});
          }};
}

Result<Secret> Resolve(const PlacedText& text, const Surroundings& surroundings) {
  size_t broken = 0;
  const auto pieces = SplitPieces(text.value, &broken);
  if (!pieces) return Secret(text.value);
  std::string out;
  for (const Piece& piece : *pieces) {
    if (!piece.reference) {
      out += Unescape(piece.text);
      continue;
    }
    auto value = LateValue(ParseReference(piece.text), surroundings);
    if (!value) return Fail(std::move(value).error().At(text.where));
    out += *value;
  }
  return Secret(std::move(out));
}

std::string Escape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("$${")) ++i;
    out += text[i];
  }
  return out;
}

}  // namespace sluice::config
