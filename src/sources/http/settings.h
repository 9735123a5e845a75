#pragma once
// How an HTTP API is reached, and what is asked of it: a connection and a source of the project, resolved.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/secret.h"

namespace sluice::sources::http {

enum class AuthKind {
  kNone,
  kBasic,      // RFC 7617
  kBearer,     // RFC 6750
  kHeader,     // an API key in a header of its own
  kParameter,  // an API key in the query
  kOAuth2,     // RFC 6749: client credentials (4.4), or a refresh token (6) where there is one
};

struct Auth {
  AuthKind kind = AuthKind::kNone;
  std::string name;  // the user, the header or the parameter
  Secret secret;     // password, token, key, client secret
  std::string token_url, client_id, scope, audience;
  Secret refresh_token;
};

struct Settings {
  std::string name;   // of the connection, for messages
  std::string url;    // what paths are put behind; without a '/' at its end
  std::string shown;  // the same for messages: as the project has it, where it has references
  Auth auth;
  std::vector<std::pair<std::string, Secret>> headers, parameters;  // of every request
  std::string tls_ca;                                               // a PEM file; "" = the machine's authorities
  int64_t timeout_micros = 60'000'000;                              // of one request
  int64_t max_body_bytes = 64LL << 20;                              // of one answer, decompressed
  int tries = 7;                                                    // of one request, the first included
  int64_t rate = 0, rate_micros = 1'000'000;                        // so many requests in such a time; 0: no limit
  int max_connections = 4;                                          // requests under way at a time
  Location where;
};

// How a list goes on behind its first page.
struct Pages {
  enum class By {
    kNone,
    kPage,     // page=1, 2, 3 … until one is empty, or `total` is reached
    kOffset,   // offset=0, 100, 200 … likewise
    kCursor,   // what the answer has at `from`, until it has none
    kLink,     // the Link header's rel="next" (RFC 8288)
    kNextUrl,  // the address that the answer has at `from`
  };
  By by = By::kNone;
  std::string parameter;       // that the page, offset or cursor is given in; "" = it stands in the request as {page}, {offset}, {next}
  std::string size_parameter;  // that `size` is given in; "" = it is not
  int64_t size = 0;            // records of a page, where they can be asked for
  int64_t start = 1;           // the first page's number
  std::string from;            // path in the answer: kCursor, kNextUrl
  std::string total;           // path: how many pages (kPage) or records (kOffset) there are
  std::string more;            // path of a boolean: is there more?
  int64_t most = 100'000;      // pages of one list: an API that never ends is an error
};

// One kind of request, and where its answer has the records. Texts may have {placeholders}.
struct Request {
  std::string method = "GET";
  std::string path;
  std::vector<std::pair<std::string, std::string>> parameters, headers;
  std::string body;                                        // JSON; "" = none
  std::string records;                                     // path in the answer: "data.items"; "" = the answer itself
  std::vector<std::string> keys;                           // the records are the values of nested maps: the columns that their keys become
  std::string value;                                       // the column of a record that is no object
  std::vector<std::pair<std::string, std::string>> carry;  // column → path in the answer, or a placeholder's name: what each record gets
  bool missing_is_empty = false;                           // 404, 410 or nothing at `records` are no error
  Pages pages;
};

// Requests for spans of time, one behind the other.
struct Windows {
  int64_t every_micros = 0;  // 0: one window from the last one's end to now
  Instant start;             // of the first one
  int64_t delay_micros = 0;  // a window is asked for when it has been over for so long
  enum class Form { kDate, kTimestamp, kUnix, kUnixMillis } form = Form::kTimestamp;
};

struct Read {
  Request request;
  std::shared_ptr<const Request> parent;  // for_each: its records are what {parent.FIELD} is taken from
  std::optional<Windows> windows;
  std::string cursor_start;  // {cursor} of the first run; "" = none
};

}  // namespace sluice::sources::http
