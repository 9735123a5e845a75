// The only file that knows yaml-cpp.
#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "core/text.h"

namespace sluice::config {
namespace {

constexpr size_t kMaxNodes = 200'000;
constexpr std::string_view kTextTag = "tag:yaml.org,2002:str";

size_t CountNodes(const Node& node) {
  size_t count = 1;
  for (const Node& item : node.items) count += CountNodes(item);
  for (const Entry& entry : node.entries) count += CountNodes(entry.value);
  return count;
}

// Where the first byte of a scalar's text stands, given where the scalar starts: behind the quote, or for a block scalar (| or >)
// at the first line that has any.
Mark TextMark(const std::vector<std::string_view>& lines, const Mark& start) {
  Mark mark = start;
  const size_t line = static_cast<size_t>(start.line - 1);
  if (line >= lines.size() || static_cast<size_t>(start.column - 1) >= lines[line].size()) return mark;
  const char first = lines[line][start.column - 1];
  if (first == '"' || first == '\'') ++mark.column;
  if (first != '|' && first != '>') return mark;
  for (size_t i = line + 1; i < lines.size(); ++i) {
    const size_t column = lines[i].find_first_not_of(" \t\r");
    if (column == std::string_view::npos) continue;
    mark.line = static_cast<int>(i) + 1;
    mark.column = static_cast<int>(column) + 1;
    break;
  }
  return mark;
}

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

// Builds the tree from the parser's events. Errors that do not stop the parser are collected.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::shared_ptr<const std::string> file) : lines_(LinesOf(text)), file_(std::move(file)) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = node.text_mark = At(mark);
    node.text = NullWordAt(node.mark);
    Finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    const Node& target = anchors_[anchor];
    nodes_ += CountNodes(target);
    Finish(nodes_ > kMaxNodes ? Node{} : target, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    Node node;
    node.mark = At(mark);
    node.text_mark = TextMark(lines_, node.mark);
    node.text = value;
    node.kind = tag == "?" || tag.empty() ? KindOfPlain(value) : Kind::kText;
    if (tag != "?" && tag != "!" && !tag.empty() && tag != kTextTag) RefuseTag(tag, node.mark);
    Finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Start(Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Start(Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapEnd() override { End(); }

  bool too_large() const { return nodes_ > kMaxNodes; }
  Node root;
  Diagnostics diagnostics;

 private:
  // A list or map whose end has not been seen.
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    bool awaits_value = false;
    Node key;
    std::vector<Node> merged;  // values of "<<"
  };

  Mark At(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  // How a null is spelt; "" where nothing was written: then the parser's mark is at the next token, which may be a key.
  std::string NullWordAt(const Mark& mark) const {
    if (static_cast<size_t>(mark.line) > lines_.size()) return "";
    const std::string_view line = lines_[mark.line - 1];
    const std::string_view rest = line.substr(std::min(line.size(), static_cast<size_t>(mark.column - 1)));
    for (const char* word : {"null", "Null", "NULL", "~"})
      if (const std::string_view after = rest.substr(std::min(rest.size(), std::string_view(word).size()));
          rest.starts_with(word) && (after.empty() || std::string_view(" \t\r,]}").find(after[0]) != std::string_view::npos))
        return word;
    return "";
  }

  void RefuseTag(const std::string& tag, const Mark& mark) {
    diagnostics.Add(UserError("yaml-tag", fmt::format("the YAML tag {} means nothing here", tag))
                        .At(mark.location())
                        .Hint("leave the tag out; quote the value to make it a text"));
  }

  void Start(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Open open;
    open.node.kind = kind;
    open.node.mark = At(mark);
    open.anchor = anchor;
    if (tag != "?" && tag != "!" && !tag.empty()) RefuseTag(tag, open.node.mark);
    open_.push_back(std::move(open));
  }

  void End() {
    Open done = std::move(open_.back());
    open_.pop_back();
    for (const Node& merged : done.merged) done.node = WithMerged(std::move(done.node), merged);
    Finish(std::move(done.node), done.anchor);
  }

  // Keys of `merged` that the map itself does not have (https://yaml.org/type/merge.html).
  static Node WithMerged(Node map, const Node& merged) {
    for (const Node& part : merged.items) map = WithMerged(std::move(map), part);
    for (const Entry& entry : merged.entries)
      if (!map.FindEntry(entry.key)) map.entries.push_back(entry);
    return map;
  }

  void Finish(Node node, YAML::anchor_t anchor) {
    ++nodes_;
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_list())
      parent.node.items.push_back(std::move(node));
    else if (parent.awaits_value)
      AddEntry(parent, std::move(node));
    else
      TakeKey(parent, std::move(node));
  }

  void TakeKey(Open& parent, Node key) {
    if (key.is_list() || key.is_map())
      diagnostics.Add(UserError("yaml-key", fmt::format("a key must be a word, found {}", Describe(key)))
                          .At(key.where())
                          .Hint("quote the key if it starts with [, { or *"));
    parent.key = std::move(key);
    parent.awaits_value = true;
  }

  void AddEntry(Open& parent, Node value) {
    parent.awaits_value = false;
    Node key = std::move(parent.key);
    if (key.text == "<<" && (value.is_map() || value.is_list())) {
      parent.merged.push_back(std::move(value));
      return;
    }
    if (const Entry* first = parent.node.FindEntry(key.text)) {
      diagnostics.Add(
          UserError("duplicate-key", fmt::format("\"{}\" stands twice in this map, first on line {}", key.text, first->key_mark.line))
              .At(key.where())
              .Hint("keep one of the two"));
      return;
    }
    // The parser places a missing value at whatever comes next.
    if (value.is_null()) value.mark = value.text_mark = key.mark;
    parent.node.entries.push_back({key.text, key.mark, std::move(value)});
  }

  std::vector<std::string_view> lines_;
  std::shared_ptr<const std::string> file_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  size_t nodes_ = 0;
};

std::string SyntaxHint(const std::string& message) {
  if (message.find("tab") != std::string::npos) return "indent with spaces";
  if (message.find("end of map") != std::string::npos || message.find("map value") != std::string::npos)
    return "check the indentation here and on the line above, and quote a text that has \": \" or \"#\" in it";
  return "check quotes, brackets and indentation here and on the line above";
}

Error SyntaxError(const YAML::ParserException& thrown, const std::string& file) {
  const Location where = thrown.mark.is_null() ? Location{file, 1, 1} : Location{file, thrown.mark.line + 1, thrown.mark.column + 1};
  return UserError("yaml-syntax", "this is no YAML: " + thrown.msg).At(where).Hint(SyntaxHint(thrown.msg));
}

}  // namespace

Result<Node> ParseYaml(std::string_view text, const std::string& file) {
  if (!IsValidUtf8(text)) return Fail(UserError("yaml-encoding", "this file is not UTF-8").At({file, 1, 1}).Hint("save it as UTF-8"));
  TreeBuilder builder(text, std::make_shared<const std::string>(file));
  builder.root = EmptyMapAt({std::make_shared<const std::string>(file), 1, 1});
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder second("", std::make_shared<const std::string>(file));
    if (!builder.too_large() && parser.HandleNextDocument(second))
      builder.diagnostics.Add(UserError("several-documents", "this file has more than one YAML document")
                                  .At(second.root.where())
                                  .Hint("remove the --- or split the file"));
  } catch (const YAML::ParserException& thrown) {
    builder.diagnostics.Add(SyntaxError(thrown, file));
  }
  if (builder.too_large())
    return Fail(UserError("yaml-too-large", "the aliases in this file multiply to more than 200,000 values")
                    .At({file, 1, 1})
                    .Hint("write the values out"));
  if (!builder.diagnostics.ok()) return Fail(std::move(builder.diagnostics).Take());
  if (builder.root.is_null()) return EmptyMapAt({std::make_shared<const std::string>(file), 1, 1});
  return std::move(builder.root);
}

}  // namespace sluice::config
