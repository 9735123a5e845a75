#pragma once
// Which page of a list comes next? Decided by the answers alone.
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/result.h"
#include "net/http.h"
#include "sources/http/answer.h"
#include "sources/http/placeholders.h"
#include "sources/http/settings.h"

namespace sluice::sources::http {

class Pager {
 public:
  explicit Pager(const Pages& pages);

  // What the request of the next page says beside its own: placeholders, and query parameters (without a value: not given).
  void Give(Values* values) const;
  std::vector<std::pair<std::string, std::string>> parameters() const;
  // The address of the next page, where answers say it: instead of the request's own. Resolved against `url` by the caller.
  const std::optional<std::string>& url() const { return url_; }

  // Takes the answer of the page, how many records it has and a hash of them; false: it was the last. Errors: kData "http-endless": the
  // same records or the same next page again, or more pages than `most`; "http-answer": a total that is no number, no word of more where
  // there was to be one, no next page where there was to be more.
  Result<bool> Advance(const Answer& answer, const net::HttpResponse& response, int64_t records, uint64_t hash);

 private:
  Result<bool> MoveOn(const Answer& answer, const net::HttpResponse& response, int64_t records);
  Result<std::optional<int64_t>> Total(const Answer& answer) const;

  const Pages& pages_;
  int64_t at_ = 0;                       // page or offset
  int64_t seen_ = 1;                     // pages
  uint64_t hash_ = 0;                    // of the page before
  std::unordered_set<uint64_t> tokens_;  // hashes of the cursors or addresses so far
  std::optional<std::string> next_, url_;
};

// The target of rel="next" in a Link header (RFC 8288 section 3).
std::optional<std::string> NextLink(const net::Headers& headers);
// `reference` as seen from `base` (RFC 3986 section 5.2, dots aside).
std::string ResolveReference(const std::string& base, std::string_view reference);
// "https://host:port", in lower case, with the scheme's own port where none is said.
std::string OriginOf(std::string_view url);

}  // namespace sluice::sources::http
