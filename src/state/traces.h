#pragma once
// What the tests that play the model's counterexamples share: worlds at a certain point, and events at a certain operation.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "state/toy_lake.h"

namespace sluice::state::toy {

using store::FaultKind;
using store::Operation;
using store::OperationKind;

inline std::string Said(const Result<std::string>& result) { return result ? *result : result.error().ToString(); }

// Something that happens once, just before the `nth` operation whose kind is given and whose key ends so.
inline store::FaultyOptions Before(OperationKind kind, std::string ending, std::function<void()> what, int nth = 1) {
  auto seen = std::make_shared<int>(0);
  return {.before = [=, what = std::move(what)](const Operation& operation) {
    if (operation.kind == kind && operation.key.ends_with(ending) && ++*seen == nth) what();
  }};
}

// The number of the first operation of that kind on a key that ends so, in a run of such a world.
inline int64_t NumberOf(World world, OperationKind kind, const std::string& ending) {
  for (const Operation& operation : RunWith(world).operations) {
    if (operation.kind == kind && operation.key.ends_with(ending)) return operation.number;
  }
  ADD_FAILURE() << "no " << Name(kind) << " of " << ending;
  return 0;
}

inline constexpr const char* kReady = ".ready";
inline constexpr const char* kDone = ".done";
inline std::string LogFile(int table, int64_t version) { return kRoots[table] + "/_delta_log/" + delta::CommitFileName(version); }

inline World AfterFirstBatch(Kind kind, int64_t records = 2, int64_t more = 2) {
  World world(kind, records);
  RunToRest(world);
  world.end += more;
  return world;
}

}  // namespace sluice::state::toy
