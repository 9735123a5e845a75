#include "core/counted.h"

#include "core/text.h"

namespace sluice {

std::string Counted(int64_t n, std::string_view one, std::string_view many) {
  std::string out = FormatCount(n) + " ";
  if (n == 1) return out.append(one);
  return many.empty() ? out.append(one).append("s") : out.append(many);
}

}  // namespace sluice
