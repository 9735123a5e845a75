#pragma once
#include <tl/expected.hpp>
#include <utility>

#include "core/error.h"

namespace sluice {

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline Status Ok() { return {}; }

}  // namespace sluice

#define SLUICE_CONCAT_INNER(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_INNER(a, b)

// SLUICE_TRY(auto x, F()): x = the value of F(), or return its error from here.
#define SLUICE_TRY(declaration, ...) SLUICE_TRY_(SLUICE_CONCAT(result_, __COUNTER__), declaration, __VA_ARGS__)
#define SLUICE_TRY_(name, declaration, ...)                  \
  auto name = (__VA_ARGS__);                                 \
  if (!name) return ::sluice::Fail(std::move(name).error()); \
  declaration = *std::move(name)

// SLUICE_CHECK(F()): return the error of a Status from here.
#define SLUICE_CHECK(...)                                            \
  do {                                                               \
    auto status_ = (__VA_ARGS__);                                    \
    if (!status_) return ::sluice::Fail(std::move(status_).error()); \
  } while (false)
