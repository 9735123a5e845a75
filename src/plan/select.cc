#include "plan/select.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <optional>
#include <sstream>

#include "core/text.h"

namespace sluice::plan {
namespace {

using Set = std::set<size_t>;
constexpr int kAll = 1 << 20;

struct Term {
  int up = 0, down = 0;  // how many steps of ancestors and descendants
  std::string method, value;
};

// "+x", "2+x": steps before the plus; no number = all.
Result<Term> ParseTerm(std::string_view text) {
  Term term;
  const std::string whole(text);
  if (text.starts_with("@"))
    return Fail(UserError("unknown-selector", fmt::format("\"{}\": the @ operator is not supported", whole))
                    .Hint("use +name+ for ancestors and descendants"));
  const auto steps = [](std::string_view digits) -> std::optional<int> {
    if (digits.empty()) return kAll;
    int n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return n;
  };
  if (const size_t plus = text.find('+'); plus != std::string_view::npos && plus + 1 < text.size()) {
    if (const auto n = steps(text.substr(0, plus))) {
      term.up = *n;
      text.remove_prefix(plus + 1);
    }
  }
  if (const size_t plus = text.rfind('+'); plus != std::string_view::npos && plus > 0) {
    if (const auto n = steps(text.substr(plus + 1))) {
      term.down = *n;
      text = text.substr(0, plus);
    }
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    term.method = text.substr(0, colon);
    term.value = text.substr(colon + 1);
  } else {
    term.value = text;
  }
  if (term.value.empty()) return Fail(UserError("unknown-selector", fmt::format("\"{}\" selects nothing", whole)));
  return term;
}

bool NameMatches(const Node& node, const std::string& pattern) {
  const std::string name = node.table.substr(node.table.find('.') + 1);
  return GlobMatch(pattern, node.table) || (pattern.find('.') == std::string::npos && GlobMatch(pattern, name));
}

const char* StoreName(project::Store store) {
  static constexpr const char* kNames[] = {"view", "table", "append", "merge", "scd2", "interval"};
  return kNames[static_cast<int>(store)];
}

// A file of the project, or a folder with all below it. A model is its .sql and the .yml beside it.
bool PathMatches(const Node& n, const std::string& pattern) {
  const std::string file = n.where().file;
  const bool is_yml = n.kind == NodeKind::kModel && pattern.ends_with(".yml");
  const std::string own = is_yml ? file.substr(0, file.rfind('.')) + ".yml" : file;
  return GlobMatch(pattern, own) || GlobMatch(pattern + "/**", file) || (pattern.ends_with("/") && file.starts_with(pattern));
}

Status MustBeOneOf(std::string_view method, const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return Ok();
  return Fail(UserError("nothing-selected", fmt::format("there is no {} \"{}\"{}", method, value, DidYouMean(value, choices)))
                  .Hint(fmt::format("{}: one of {}", method, Join(choices, ", "))));
}

using Predicate = std::function<bool(const Node&)>;

Result<Predicate> PredicateOf(const Term& term, const LastResults& last) {
  const std::string& value = term.value;
  const bool is_path = value.find('/') != std::string::npos || value.ends_with(".sql") || value.ends_with(".yml");
  if (term.method == "path" || (term.method.empty() && is_path)) return Predicate([value](const Node& n) { return PathMatches(n, value); });
  if (term.method.empty()) return Predicate([value](const Node& n) { return NameMatches(n, value); });
  if (term.method == "tag") return Predicate([value](const Node& n) { return n.properties().tags.contains(value); });
  if (term.method == "source")
    return Predicate([value](const Node& n) { return n.kind == NodeKind::kSource && (value == "*" || NameMatches(n, value)); });
  if (term.method == "model") return Predicate([value](const Node& n) { return n.kind == NodeKind::kModel && NameMatches(n, value); });
  if (term.method == "layer") return Predicate([value](const Node& n) { return n.layer() == value; });
  if (term.method == "owner") return Predicate([value](const Node& n) { return n.properties().owner == value; });
  if (term.method == "schedule") return Predicate([value](const Node& n) { return n.properties().schedule == value; });
  if (term.method == "store" || term.method == "config.materialized") {
    SLUICE_CHECK(MustBeOneOf("store", value, {"view", "table", "append", "merge", "scd2", "interval"}));
    return Predicate([value](const Node& n) { return n.model != nullptr && StoreName(n.model->store) == value; });
  }
  if (term.method == "result") {
    const std::string result = value == "error" ? "failed" : value == "success" ? "ok" : value;
    SLUICE_CHECK(MustBeOneOf("result", result, {"ok", "skipped", "failed", "refused", "blocked", "cancelled"}));
    return Predicate([result, last](const Node& n) {
      const auto at = last.find(n.table);
      return at != last.end() && at->second == result;
    });
  }
  static const std::vector<std::string> kMethods = {"tag", "source", "model", "layer", "owner", "schedule", "store", "path", "result"};
  return Fail(UserError("unknown-selector", fmt::format("no selector method \"{}:\"{}", term.method, DidYouMean(term.method, kMethods)))
                  .Hint("methods: " + Join(kMethods, ", ")));
}

// The neighbours one step away. Upward, what a node's checks read counts too: they can't run before it is there.
std::vector<size_t> Neighbours(const Graph& graph, size_t node, bool up) {
  if (!up) return graph.Downstream(node);
  std::vector<size_t> out = graph.Upstream(node);
  for (const std::string& table : graph.nodes[node].check_inputs) out.push_back(graph.index.at(table));
  return out;
}

// `reached`: node → the most steps it was gone on from with.
void Walk(const Graph& graph, size_t from, int steps, bool up, std::map<size_t, int>& reached) {
  if (steps == 0) return;
  for (const size_t next : Neighbours(graph, from, up)) {
    const auto [at, first] = reached.emplace(next, steps - 1);
    if (!first && at->second >= steps - 1) continue;
    at->second = steps - 1;
    Walk(graph, next, steps - 1, up, reached);
  }
}

Result<Set> SelectTerm(const Graph& graph, std::string_view text, const LastResults& last) {
  SLUICE_TRY(const Term term, ParseTerm(text));
  SLUICE_TRY(const Predicate matches, PredicateOf(term, last));
  Set core;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (matches(graph.nodes[i])) core.insert(i);
  if (core.empty() && term.method.empty()) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes)
      names.push_back(term.value.find('.') == std::string::npos ? node.table.substr(node.table.find('.') + 1) : node.table);
    return Fail(UserError("nothing-selected", fmt::format("no node \"{}\"{}", term.value, DidYouMean(term.value, names)))
                    .Hint("`sluice ls` lists them"));
  }
  Set out = core;
  for (const bool up : {true, false}) {
    std::map<size_t, int> reached;
    for (const size_t node : core) Walk(graph, node, up ? term.up : term.down, up, reached);
    for (const auto& [node, steps] : reached) out.insert(node);
  }
  return out;
}

Result<Set> SelectUnion(const Graph& graph, const std::vector<std::string>& words, const LastResults& last) {
  Set out;
  for (const std::string& word : words) {
    std::istringstream terms(word);
    for (std::string term; terms >> term;) {
      std::optional<Set> both;
      for (const std::string& part : Split(term, ',')) {
        SLUICE_TRY(const Set set, SelectTerm(graph, part, last));
        if (!both)
          both = set;
        else
          std::erase_if(*both, [&](size_t node) { return !set.contains(node); });
      }
      out.insert(both->begin(), both->end());
    }
  }
  return out;
}

}  // namespace

Result<std::set<size_t>> Select(const Graph& graph, const Selection& selection, const LastResults& last) {
  Set chosen;
  if (selection.select.empty()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) chosen.insert(i);
  } else {
    SLUICE_TRY(chosen, SelectUnion(graph, selection.select, last));
  }
  SLUICE_TRY(const Set out, SelectUnion(graph, selection.exclude, last));
  for (size_t node : out) chosen.erase(node);
  const Set asked = chosen;
  for (const size_t node : asked)
    for (const size_t other : graph.BatchOf(node)) chosen.insert(other);
  return chosen;
}

}  // namespace sluice::plan
