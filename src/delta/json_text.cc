#include "delta/json_text.h"

namespace sluice::delta {

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

}  // namespace sluice::delta
