#include "project/names.h"

#include <fmt/format.h>

#include <map>

#include "core/text.h"

namespace sluice::project {
namespace {

constexpr size_t kLongestName = 100;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string GoodName(std::string_view text) {
  std::string name;
  for (char c : ToLower(text)) name += IsLower(c) || IsDigit(c) ? c : '_';
  while (!name.empty() && !IsLower(name[0])) name.erase(0, 1);
  return name.substr(0, kLongestName);
}

}  // namespace

bool CheckName(const PlacedText& name, std::string_view what, Diagnostics& diagnostics) {
  const std::string good = GoodName(name.value);
  if (!name.value.empty() && good == name.value) return true;
  diagnostics.Add(
      UserError("bad-name",
                fmt::format("\"{}\" cannot be the name of {}: names have lower-case letters, digits and _, and start with a letter",
                            name.value, what))
          .At(name.where)
          .Hint(good.empty() ? "choose a name such as orders" : "call it " + good));
  return false;
}

void CheckDistinct(const Texts& names, const std::string& code, std::string_view what, Diagnostics& diagnostics) {
  std::map<std::string, const PlacedText*> seen;
  for (const PlacedText& name : names) {
    const auto [first, is_new] = seen.emplace(ToLower(name.value), &name);
    if (is_new) continue;
    diagnostics.Add(UserError(code, fmt::format("{} \"{}\" stands twice, first on line {}", what, name.value, first->second->where.line))
                        .At(name.where)
                        .Hint("keep one of the two"));
  }
}

bool CheckColumnName(const PlacedText& name, Diagnostics& diagnostics) {
  if (contract::IsMetadataColumn(ToLower(name.value))) {
    diagnostics.Add(UserError("reserved-column", fmt::format("\"{}\" is a column that Sluice writes itself", name.value))
                        .At(name.where)
                        .Hint(fmt::format("give it another name; from: {} says which field it is read from", name.value)));
    return false;
  }
  if (!name.value.empty() && name.value.find_first_of(" ,;{}()\n\t=") == std::string::npos) return true;
  const std::string good = GoodName(name.value);
  diagnostics.Add(
      UserError("bad-column-name",
                fmt::format("\"{}\" cannot be the name of a column: spaces, tabs, line breaks and ,;{{}}()= are not possible", name.value))
          .At(name.where)
          .Hint(fmt::format("write name: {}, from: \"{}\"", good.empty() ? "column" : good, name.value)));
  return false;
}

std::vector<std::string> TextsOf(const Texts& texts) {
  std::vector<std::string> out;
  for (const PlacedText& text : texts) out.push_back(text.value);
  return out;
}

}  // namespace sluice::project
