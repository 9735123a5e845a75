#pragma once
#include <string>
#include <utility>

namespace sluice {

// A value that must not be seen: it prints as "***" and compares with nothing. Reveal it only where it is handed to a peer.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

// For fmt, found by argument-dependent look-up.
inline std::string format_as(const Secret&) { return "***"; }
template <typename Stream>
Stream& operator<<(Stream& stream, const Secret&) {
  stream << "***";
  return stream;
}

}  // namespace sluice
