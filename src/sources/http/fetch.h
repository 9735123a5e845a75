#pragma once
// All requests of one batch, and their records as lines of a file, in an order that does not depend on which answer comes first.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sources/http/caller.h"
#include "sources/http/placeholders.h"
#include "sources/http/settings.h"

namespace sluice::sources::http {

// What one list is asked for with: placeholders as texts, and as JSON for carried columns.
struct Context {
  Values texts, json;
};

struct Fetching {
  const Read& read;
  const Settings& settings;
  Caller& caller;
  std::string folder;  // for lists that are long, until their turn comes
  // Is the record to be taken? Called from several threads.
  std::function<Result<bool>(std::string_view record, std::string_view own)> wanted;
  std::function<Status(std::string_view lines)> write;  // one caller at a time, in order
};

// Errors: those of Caller::Send, Answer and Pager, with the request that they are about; kUser "http-not-found"; kData "http-answer";
// kRetryable "scratch-failed"; those of `wanted` and `write`.
Status FetchAll(const Fetching& fetching, const std::vector<Context>& contexts);

}  // namespace sluice::sources::http
