#pragma once
// Reading the lines of commit files and of checkpoints in JSON.
#include <functional>
#include <string>

#include "delta/actions.h"

namespace sluice::delta {

// A part of a v2 checkpoint that holds file actions (PROTOCOL.md, "Sidecar File Information"). Path URI-encoded.
struct Sidecar {
  std::string path;
};
using LogLine = std::variant<Action, Sidecar>;

// Gives every action of `text`, in order or the last line first. Kinds it does not know, null actions and blank lines are passed
// over. Errors "bad-delta-log" with the line number; `take` has then seen the lines before it.
using TakeLine = std::function<void(LogLine&&)>;
Status ForEachLine(std::string text, const TakeLine& take);
Status ForEachLineBackwards(std::string text, const TakeLine& take);

}  // namespace sluice::delta
