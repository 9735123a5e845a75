// All that can be said of a project whose files have errors: what its SQL says wrong beside them, and nothing that only follows from them.
#include <algorithm>
#include <set>

#include "run/validate.h"

namespace sluice::run {
namespace {

std::string StemOf(const std::string& file) {
  const size_t slash = file.rfind('/') + 1;  // npos + 1 == 0
  return file.substr(slash, file.rfind('.') - slash);
}

class Beside {
 public:
  explicit Beside(const std::vector<Error>& errors) {
    for (const Error& error : errors) broken_.insert(error.where.file);
  }

  // The settings that everything hangs on: layers, vars, macros.
  bool AllHangsOnThem() const {
    return std::any_of(broken_.begin(), broken_.end(),
                       [](const std::string& file) { return file == "sluice.yml" || file.starts_with("macros/"); });
  }

  // A table that a broken file makes may be there once it is mended.
  bool OfAMissingTable(const Error& error) const {
    return error.code == "unknown-table" && std::any_of(broken_.begin(), broken_.end(), [&](const std::string& file) {
             return error.message.find("." + StemOf(file)) != std::string::npos;
           });
  }

  // Nodes whose columns are not what they will be: of broken sources and SQL, and all that reads them.
  std::set<std::string> UnsureFiles(const plan::Graph& graph) const {
    std::set<size_t> unsure;
    std::set<std::string> files;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const plan::Node& node = graph.nodes[i];
      const auto inputs = graph.Upstream(i);
      const bool reads_one = std::any_of(inputs.begin(), inputs.end(), [&](size_t input) { return unsure.contains(input); });
      if (!reads_one && !broken_.contains(node.where().file)) continue;
      unsure.insert(i);
      files.insert(node.where().file);
    }
    return files;
  }

  // Whether the error is of a file whose own errors come first, or of one that reads what is not sure.
  bool Follows(const Error& error, const std::set<std::string>& unsure) const {
    const std::string& file = error.where.file;
    const std::string sql = file.substr(0, file.rfind('.')) + ".sql";
    return broken_.contains(file) || unsure.contains(file) || unsure.contains(sql);
  }

 private:
  std::set<std::string> broken_;
};

bool InOrder(const Error& a, const Error& b) {
  const auto place = [](const Error& e) {
    return std::tuple(e.where.file != "sluice.yml", std::tie(e.where.file, e.where.line, e.where.column));
  };
  return place(a) < place(b);
}

}  // namespace

std::vector<Error> ErrorsBeside(Session& session, const std::vector<Error>& project_errors) {
  std::vector<Error> found;
  const auto graph = session.graph();
  if (!graph) return found;
  const Beside in_files(project_errors);
  for (const Error& error : session.graph_errors())
    if (!in_files.OfAMissingTable(error) && !in_files.Follows(error, {})) found.push_back(error);
  if (in_files.AllHangsOnThem()) return found;
  std::vector<Error> known = project_errors;
  known.insert(known.end(), session.graph_errors().begin(), session.graph_errors().end());
  const Beside in_all(known);
  const std::set<std::string> unsure = in_all.UnsureFiles(**graph);
  auto validated = Validate(session);
  if (validated) return found;
  std::vector<Error> bound = std::move(validated.error().more);
  bound.insert(bound.begin(), std::move(validated).error());
  for (Error& error : bound)
    if (error.where.known() && !in_all.OfAMissingTable(error) && !in_all.Follows(error, unsure)) found.push_back(std::move(error));
  return found;
}

Error AllInOrder(std::vector<Error> errors) {
  std::stable_sort(errors.begin(), errors.end(), InOrder);
  Diagnostics diagnostics;
  for (Error& error : errors) diagnostics.Add(std::move(error));
  return std::move(diagnostics).Take();
}

}  // namespace sluice::run
