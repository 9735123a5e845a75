#include "plan/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"

namespace sluice::plan {
namespace {

using engines::TableUse;
using engines::UseMode;

// A model's own fingerprint: its SQL's tree and every property that changes the rows or how they are stored.
std::string ModelFingerprint(const project::Model& model, const SqlFacts& facts) {
  std::string text = facts.fingerprint;
  auto add = [&](const std::string& part) { text += '\x1f' + part; };
  add(std::to_string(static_cast<int>(model.store)));
  for (const auto* list : {&model.key, &model.sequence_by, &model.update, &model.track, &model.partition_by}) add(Join(*list, ","));
  add(model.delete_when);
  add(model.interval_column);
  add(model.start);
  add(fmt::format("{} {} {} {} {}", static_cast<int>(model.on_missing), static_cast<int>(model.on_delete), static_cast<int>(model.readers),
                  static_cast<int>(model.every), model.lookback));
  for (const auto& column : model.columns) add(column.name + " " + (column.type ? column.type->ToString() : ""));
  return Hex(Hash64(text));
}

class Builder {
 public:
  Builder(const project::Project& project, const FactsOf& facts_of) : project_(project), facts_of_(facts_of) {}

  Result<Graph> Build() {
    Resolve();
    if (!diagnostics_.ok() || FindCycle()) return Fail(std::move(diagnostics_).Take());
    CheckPublishGroups();
    if (!diagnostics_.ok()) return Fail(std::move(diagnostics_).Take());
    return Finish();
  }

  Graph BuildReadable(std::vector<Error>* errors) {
    Resolve();
    while (FindCycle()) Open(circle_);
    CheckPublishGroups();
    *errors = std::move(diagnostics_.errors);
    return Finish();
  }

 private:
  void Resolve() {
    AddNodes();
    for (Node& node : nodes_) {
      if (node.kind == NodeKind::kModel) ResolveModel(node);
      if (node.kind != NodeKind::kSeed) ResolveChecks(node);
    }
  }

  // Takes the edges between the models of a circle away.
  void Open(const std::vector<std::string>& circle) {
    for (const std::string& table : circle) {
      Node& node = nodes_[names_.at(table)];
      node.inputs.clear();
      node.uses.clear();
    }
  }

  Graph Finish() {
    AcceptCheckEdges();
    Sort();
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (const auto* model = graph_.nodes[i].model; model && !model->publish.empty()) graph_.publish_groups[model->publish].push_back(i);
    graph_.warnings = std::move(diagnostics_.warnings);
    return std::move(graph_);
  }

  void AddNodes() {
    for (const auto& source : project_.sources) {
      Node node;
      node.kind = NodeKind::kSource;
      node.table = "bronze." + source.name;
      node.source = &source;
      node.fingerprint = source.fingerprint;
      if (!source.external) names_["quarantine." + source.name] = nodes_.size();
      Push(std::move(node));
    }
    for (const auto& seed : project_.seeds) {
      Node node;
      node.kind = NodeKind::kSeed;
      node.table = "seed." + seed.name;
      node.seed = &seed;
      Push(std::move(node));
    }
    for (const auto& model : project_.models) {
      Node node;
      node.kind = NodeKind::kModel;
      node.table = model.table();
      node.model = &model;
      Push(std::move(node));
    }
  }

  void Push(Node node) {
    names_[node.table] = nodes_.size();
    nodes_.push_back(std::move(node));
  }

  void ResolveModel(Node& node) {
    const auto facts = facts_of_(node.model->sql, node.model->sql_file);
    if (!facts) return diagnostics_.Add(facts.error());
    node.uses = facts->uses;
    node.parameters = facts->parameters;
    node.fingerprint = ModelFingerprint(*node.model, *facts);
    for (const Error& warning : facts->warnings) diagnostics_.Warn(warning);
    CheckParameters(node);
    for (const TableUse& use : node.uses) {
      if (use.mode == UseMode::kBatch) {
        diagnostics_.Add(
            UserError("batch-in-model", "a model can't read `batch`: it is what this run writes, and only checks see it").At(use.where));
        continue;
      }
      if (use.mode == UseMode::kThis) {
        CheckThis(node, use);
        continue;
      }
      if (node.is_view() && IsFeed(use))
        diagnostics_.Add(
            UserError("new-in-view", fmt::format("{} is a view: it keeps nothing, so nothing is new to it", node.table))
                .At(use.where)
                .Hint(fmt::format("read {}.{} whole here, or give the model a store that keeps its rows", use.schema, use.name)));
      if (!Resolve(use)) continue;
      WarnUpward(node, use);
      Insert(node.inputs, NodeTable(use));
      if (IsFeed(use)) Follow(node, use);
    }
  }

  static bool IsFeed(const TableUse& use) { return use.mode == UseMode::kNew || use.mode == UseMode::kChanges; }

  void Follow(const Node& node, const TableUse& use) {
    Node& followed = nodes_[names_.at(use.schema + "." + use.name)];
    if (followed.is_view()) diagnostics_.Add(NewOverView(use));
    if (use.schema != "quarantine") Insert(followed.followed_by, node.table);
  }

  void CheckThis(const Node& node, const TableUse& use) {
    const bool typed = !node.model->columns.empty() && std::all_of(node.model->columns.begin(), node.model->columns.end(),
                                                                   [](const auto& c) { return c.type.has_value(); });
    if (!typed)
      diagnostics_.Add(UserError("this-needs-columns", fmt::format("{} reads `this`, so its columns must be declared", node.table))
                           .At(use.where)
                           .Hint("list every column with its type under `columns:` in the model's .yml"));
    if (node.is_view())
      diagnostics_.Add(
          UserError("this-in-view", fmt::format("{} is a view: it has no earlier state to read as `this`", node.table)).At(use.where));
  }

  void CheckParameters(const Node& node) {
    static const std::set<std::string> kBuiltIn = {"window_start", "window_end", "run_date", "run_started_at"};
    const bool interval = node.model->store == project::Store::kInterval;
    for (const std::string& name : node.parameters) {
      if (project_.vars.contains(name)) continue;
      if (!kBuiltIn.contains(name)) {
        std::vector<std::string> known(kBuiltIn.begin(), kBuiltIn.end());
        for (const auto& [var, text] : project_.vars) known.push_back(var);
        diagnostics_.Add(UserError("unknown-parameter", fmt::format("${} is no variable of this project{}", name, DidYouMean(name, known)))
                             .At(PlaceOf(node, "$" + name))
                             .Hint("declare it under `vars:` in sluice.yml, or pass --var"));
      } else if (name.starts_with("window_") && !interval) {
        diagnostics_.Add(UserError("window-outside-interval", fmt::format("${} is only bound in models with `store: interval`", name))
                             .At(PlaceOf(node, "$" + name)));
      }
    }
    if (interval && std::find(node.parameters.begin(), node.parameters.end(), "window_start") == node.parameters.end())
      diagnostics_.Warn(
          UserError(
              "interval-without-window",
              fmt::format("{} has `store: interval` but its SQL never uses $window_start: every window reads all its input", node.table))
              .At({node.model->sql_file, 1, 1}));
  }

  static Location PlaceOf(const Node& node, const std::string& token) {
    const std::string& sql = node.model->sql;
    const size_t at = sql.find(token);
    if (at == std::string::npos) return {node.model->sql_file, 1, 1};
    const auto line = std::count(sql.begin(), sql.begin() + static_cast<long>(at), '\n');
    const size_t start = at == 0 ? std::string::npos : sql.rfind('\n', at - 1);
    return {node.model->sql_file, static_cast<int>(line) + 1, static_cast<int>(start == std::string::npos ? at + 1 : at - start)};
  }

  void ResolveChecks(Node& node) {
    const auto& checks = node.source ? node.source->checks : node.model->checks;
    for (const auto& check : checks) {
      const auto facts = facts_of_(CheckSql(check, node.model), check.where.file);
      if (!facts) {
        Error error = facts.error();
        error.where = check.where;
        error.message = fmt::format("check {}: {}", check.name, error.message);
        diagnostics_.Add(std::move(error));
        continue;
      }
      for (TableUse use : facts->uses) {
        if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch) continue;
        use.where = check.where;
        if (use.mode == UseMode::kChanges) {
          diagnostics_.Add(UserError("changes-outside-model", fmt::format("a check can't read {}: only a model has read a table up to some "
                                                                          "version, after which changes are told",
                                                                          use.id()))
                               .At(check.where)
                               .Hint(fmt::format("read {}.{} whole, or `batch` for the rows that this run writes", use.schema, use.name)));
          continue;
        }
        if (Resolve(use) && NodeTable(use) != node.table) Insert(node.check_inputs, NodeTable(use));
      }
    }
    std::erase_if(node.check_inputs,
                  [&](const std::string& table) { return std::find(node.inputs.begin(), node.inputs.end(), table) != node.inputs.end(); });
  }

  bool Resolve(const TableUse& use) {
    const std::string table = use.schema + "." + use.name;
    if (names_.contains(table)) return true;
    std::vector<std::string> known;
    for (const auto& [name, node] : names_) known.push_back(name);
    std::string hint = "`sluice ls` lists the tables of this project";
    for (const std::string& name : known)
      if (name.substr(name.find('.') + 1) == use.name) hint = fmt::format("there is {}", name);
    diagnostics_.Add(
        UserError("unknown-table", fmt::format("no table {} in this project{}", table, DidYouMean(table, known))).At(use.where).Hint(hint));
    return false;
  }

  std::string NodeTable(const TableUse& use) const { return nodes_[names_.at(use.schema + "." + use.name)].table; }

  void WarnUpward(const Node& node, const TableUse& use) {
    const auto rank = [&](const std::string& layer) {
      return std::find(project_.layers.begin(), project_.layers.end(), layer) - project_.layers.begin();
    };
    if (use.schema == "seed" || use.schema == "quarantine" || rank(use.schema) <= rank(node.layer())) return;
    diagnostics_.Warn(UserError("reads-upward", fmt::format("{} reads {}, a higher layer", node.table, use.id()))
                          .At(use.where)
                          .Hint("layers are read downward: " + Join(project_.layers, " → ")));
  }

  static void Insert(std::vector<std::string>& list, const std::string& table) {
    const auto at = std::lower_bound(list.begin(), list.end(), table);
    if (at == list.end() || *at != table) list.insert(at, table);
  }

  // Does `from` reach `to` over the edges accepted so far?
  bool Reaches(const std::string& from, const std::string& to) const {
    if (from == to) return true;
    const Node& node = nodes_[names_.at(from)];
    for (const auto* edges : {&node.inputs, &node.check_inputs})
      for (const std::string& input : *edges)
        if (Reaches(input, to)) return true;
    return false;
  }

  // A check that reads a table downstream of its own node sees that table as it stood before the run: that is no edge.
  void AcceptCheckEdges() {
    std::map<std::string, std::vector<std::string>> wanted;
    for (Node& node : nodes_) wanted[node.table] = std::exchange(node.check_inputs, {});
    for (const auto& [table, inputs] : wanted)
      for (const std::string& input : inputs)
        if (!Reaches(input, table)) nodes_[names_.at(table)].check_inputs.push_back(input);
  }

  // The way from `table` up to a table of `group`, over tables outside of it; empty: there is none. Views are no tables.
  std::vector<std::string> WayInto(const std::string& group, const std::string& table, bool outside) const {
    for (const std::string& input : nodes_[names_.at(table)].inputs) {
      const Node& node = nodes_[names_.at(input)];
      const bool member = node.model && node.model->publish == group;
      if (member && outside) return {input};
      if (member) continue;  // its own way in is its own matter
      auto way = WayInto(group, input, outside || !node.is_view());
      if (!way.empty()) {
        way.push_back(input);
        return way;
      }
    }
    return {};
  }

  // A group's tables are computed before any of them is shown, so nothing outside can stand between them.
  void CheckPublishGroups() {
    for (const Node& node : nodes_) {
      if (node.model == nullptr || node.model->publish.empty()) continue;
      auto way = WayInto(node.model->publish, node.table, false);
      if (way.empty()) continue;
      way.push_back(node.table);
      diagnostics_.Add(
          UserError("split-publish-group", fmt::format("publish group {} is not of one piece: {}", node.model->publish, Join(way, " → ")))
              .At(node.model->publish_where)
              .Hint(fmt::format("add publish: {} to what stands between, or make it a view", node.model->publish)));
    }
  }

  bool FindCycle() {
    std::map<std::string, int> color;
    std::vector<std::string> path;
    for (const Node& node : nodes_)
      if (Visit(node.table, color, path)) return true;
    return false;
  }

  bool Visit(const std::string& table, std::map<std::string, int>& color, std::vector<std::string>& path) {
    if (color[table] == 2) return false;
    path.push_back(table);
    if (color[table] == 1) {
      path.erase(path.begin(), std::find(path.begin(), path.end(), table));
      circle_ = path;
      const Node& node = nodes_[names_.at(table)];
      diagnostics_.Add(UserError("cycle", "models read each other in a circle: " + Join(path, " → "))
                           .At({node.model->sql_file, 1, 1})
                           .Hint("read the model's own earlier state as `this`, or split one of them"));
      return true;
    }
    color[table] = 1;
    for (const std::string& input : nodes_[names_.at(table)].inputs)
      if (Visit(input, color, path)) return true;
    color[table] = 2;
    path.pop_back();
    return false;
  }

  // Kahn's algorithm; the first table by name of those that are free goes first.
  void Sort() {
    std::map<std::string, std::set<std::string>> waiting;  // table → what must come before it
    for (const Node& node : nodes_) {
      auto& before = waiting[node.table];
      before.insert(node.inputs.begin(), node.inputs.end());
      before.insert(node.check_inputs.begin(), node.check_inputs.end());
    }
    while (!waiting.empty()) {
      const auto free = std::find_if(waiting.begin(), waiting.end(), [](const auto& entry) { return entry.second.empty(); });
      const std::string table = free->first;
      waiting.erase(free);
      for (auto& [other, before] : waiting) before.erase(table);
      graph_.index[table] = graph_.nodes.size();
      graph_.nodes.push_back(nodes_[names_.at(table)]);
    }
    for (const auto& [name, node] : names_) graph_.index[name] = graph_.index.at(nodes_[node].table);
  }

  const project::Project& project_;
  const FactsOf& facts_of_;
  std::vector<Node> nodes_;
  std::map<std::string, size_t> names_;
  Diagnostics diagnostics_;
  std::vector<std::string> circle_;  // found last
  Graph graph_;
};

}  // namespace

const project::Properties& Node::properties() const {
  static const project::Properties kNone;
  if (source) return source->properties;
  if (model) return model->properties;
  return kNone;
}

Location Node::where() const {
  if (source) return source->where;
  if (seed) return seed->where;
  return {model->sql_file, 1, 1};
}

std::optional<bool> Node::keeps_change_data() const {
  using enum project::Store;
  if (model == nullptr || model->store == kView) return std::nullopt;
  if (model->change_data_feed) return model->change_data_feed;
  const bool rows_may_leave = model->store != kAppend;
  return rows_may_leave && !followed_by.empty() ? std::optional(true) : std::nullopt;
}

Error NewOverView(const TableUse& use) {
  return UserError("new-over-view", fmt::format("{} can't be read: a view keeps no versions", use.id()))
      .At(use.where)
      .Hint(fmt::format("read {}() of the table under the view", use.mode == UseMode::kNew ? "new" : "changes"));
}

const Node* Graph::Find(const std::string& table) const {
  const auto at = index.find(table);
  return at == index.end() ? nullptr : &nodes[at->second];
}

std::vector<size_t> Graph::BatchOf(size_t node) const {
  const auto* model = nodes[node].model;
  return model == nullptr || model->publish.empty() ? std::vector<size_t>{node} : publish_groups.at(model->publish);
}

std::vector<size_t> Graph::Upstream(size_t node) const {
  std::vector<size_t> out;
  for (const std::string& input : nodes[node].inputs) out.push_back(index.at(input));
  return out;
}

std::vector<size_t> Graph::Downstream(size_t node) const {
  std::vector<size_t> out;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (std::find(nodes[i].inputs.begin(), nodes[i].inputs.end(), nodes[node].table) != nodes[i].inputs.end()) out.push_back(i);
  return out;
}

std::vector<std::string> Graph::Tables() const {
  std::vector<std::string> out;
  for (const auto& [name, node] : index) out.push_back(name);
  return out;
}

Result<Graph> BuildGraph(const project::Project& project, const FactsOf& facts_of) { return Builder(project, facts_of).Build(); }

Graph ReadableGraph(const project::Project& project, const FactsOf& facts_of, std::vector<Error>* errors) {
  return Builder(project, facts_of).BuildReadable(errors);
}

}  // namespace sluice::plan
