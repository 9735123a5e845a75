#include "sources/values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "core/text.h"

namespace sluice::sources {
namespace {

constexpr std::array<std::string_view, 8> kWords = {"true", "false", "yes", "no", "null", "nan", "n/a", "none"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool LooksLikeEmail(std::string_view text) {
  text = Trim(text);
  const size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || text.find('@', at + 1) != std::string_view::npos) return false;
  const std::string_view host = text.substr(at + 1);
  const size_t dot = host.rfind('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < host.size() && text.find_first_of(" ,;<>") == std::string_view::npos;
}

bool LooksLikeUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

bool LooksLikeValue(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return false;
  const std::string lower = ToLower(text);
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return true;
  if (LooksLikeEmail(text) || LooksLikeUuid(text)) return true;
  const auto digits = std::count_if(text.begin(), text.end(), IsDigit);
  const bool only_number_bytes = text.find_first_not_of("0123456789+-.,:/ TZeE%$") == std::string_view::npos;
  return digits > 0 && only_number_bytes;
}

}  // namespace sluice::sources
