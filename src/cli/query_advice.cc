#include "cli/query_advice.h"

#include <fmt/format.h>

#include <cctype>
#include <vector>

#include "core/text.h"

namespace sluice::cli {
namespace {

// Words as they stand, brackets, commas and semicolons left out.
std::vector<std::string> WordsOf(const std::string& sql) {
  std::vector<std::string> words(1);
  for (const char c : sql) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0 && c != ';' && c != '(' && c != ')' && c != ',')
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

class Words {
 public:
  explicit Words(const std::string& sql) : words_(WordsOf(sql)) {}
  size_t size() const { return words_.size(); }
  bool Is(size_t i, std::string_view word) const { return i < words_.size() && EqualsIgnoreCase(words_[i], word); }
  // The word there, or one behind it where it is one of these.
  template <typename... Skipped>
  std::string After(size_t i, const Skipped&... skipped) const {
    while ((Is(i, skipped) || ...)) ++i;
    return i < words_.size() ? words_[i] : "TABLE";
  }
  const std::string& operator[](size_t i) const { return words_[i]; }

 private:
  std::vector<std::string> words_;
};

// The command for a statement that begins so; "" if there is none.
std::string CommandFor(const Words& words) {
  if (words.Is(0, "delete")) return fmt::format("sluice table delete {} --where \"…\"", words.After(1, "from"));
  if (words.Is(0, "update")) return fmt::format("sluice table update {} --set \"…\" --where \"…\"", words.After(1));
  if (words.Is(0, "merge")) return fmt::format("sluice table merge {} --using … --on … --when \"…\"", words.After(1, "into"));
  if (words.Is(0, "insert"))
    return fmt::format("sluice table merge {} --using \"SELECT …\" --on … --when \"NOT MATCHED THEN INSERT *\"",
                       words.After(1, "into", "overwrite", "table"));
  if (words.Is(0, "vacuum")) return "sluice table vacuum " + words.After(1);
  if (words.Is(0, "optimize")) return "sluice table optimize " + words.After(1);
  if (words.Is(0, "restore")) return fmt::format("sluice table restore {} --to VERSION", words.After(1, "table"));
  if (words.Is(0, "alter")) return fmt::format("sluice table alter {} …", words.After(1, "table"));
  if ((words.Is(0, "describe") || words.Is(0, "desc")) && words.Is(1, "history")) return "sluice table history " + words.After(2);
  if ((words.Is(0, "describe") || words.Is(0, "desc")) && words.Is(1, "detail")) return "sluice table show " + words.After(2);
  return "";
}

// `at (version => 0)` for VERSION AS OF 0; "" if that does not stand there.
std::string AtFor(const Words& words) {
  for (size_t i = 0; i + 3 < words.size(); ++i) {
    if (!words.Is(i + 1, "as") || !words.Is(i + 2, "of")) continue;
    if (words.Is(i, "version") || words.Is(i, "system_version")) return fmt::format("at (version => {})", words[i + 3]);
    if (words.Is(i, "timestamp") || words.Is(i, "system_time")) return fmt::format("at (timestamp => {})", words[i + 3]);
  }
  return "";
}

}  // namespace

Error WithCommand(Error error, const std::string& sql) {
  if (error.code != "not-a-select" && error.code != "sql-syntax" && error.code != "sql-unsupported") return error;
  const Words words(sql);
  if (const std::string command = CommandFor(words); !command.empty()) {
    Error advised = UserError("not-a-select", fmt::format("a query is one SELECT; this is {}", ToLower(words[0])));
    advised.where = error.where;
    return std::move(advised).Hint(fmt::format("`{}`", command));
  }
  if (const std::string at = AtFor(words); !at.empty() && error.code == "sql-syntax")
    return std::move(error).Hint(fmt::format("an older version is read by {}, behind the table's name", at));
  return error;
}

}  // namespace sluice::cli
