// Keys of HTTP APIs: who asks, what is asked, how lists go on.
#include "project/keys_common.h"

namespace sluice::project {

using config::Duration;
using config::Enum;
using config::Integer;
using config::LateText;
using config::Literal;
using config::MapOf;
using config::Object;
using config::PlacedTextOf;
using sources::http::AuthKind;
using sources::http::Pages;
using sources::http::Windows;

namespace {

config::Type<PagesSpec> PagesType() {
  using P = PagesSpec;
  return Object<P>("pages", "Pages of an API", "How a list goes on behind its first page.")
      .Required("by", &P::by,
                Enum<Pages::By>({{"page", Pages::By::kPage, "the number of the page, until one is empty"},
                                 {"offset", Pages::By::kOffset, "the number of records so far, until a page is empty"},
                                 {"cursor", Pages::By::kCursor, "a text that each answer has, at `from`, for the next request"},
                                 {"link", Pages::By::kLink, "the `Link` header with `rel=\"next\"`"},
                                 {"next_url", Pages::By::kNextUrl, "an address that each answer has, at `from`"}}),
                "What says where the next page is.")
      .Optional("parameter", &P::parameter, PlacedTextOf("parameter", "page"), "(page, offset, cursor)",
                "The query parameter that it is given in; `\"\"` where it stands in the request as `{page}`, `{offset}` or `{next}`.")
      .Optional("start", &P::start, Integer(0, 1'000'000'000), "(1)", "`page`: the number of the first one.")
      .Optional("size", &P::size, Integer(1, 1'000'000), "(the API's own)", "Records of a page, where it can be asked for.")
      .Optional("size_parameter", &P::size_parameter, PlacedTextOf("parameter", "per_page"), "(limit)",
                "The parameter that `size` is given in.")
      .Optional("from", &P::from, PlacedTextOf("path", "meta.next_cursor"), "",
                "`cursor`, `next_url`: where the answer has it. Required there.")
      .Optional("total", &P::total, PlacedTextOf("path", "meta.total_pages"), "",
                "Where the answer says how many pages (`page`) or records (`offset`) there are: one request less.")
      .Optional("more", &P::more, PlacedTextOf("path", "has_more"), "", "Where the answer says, by true or false, whether there are more.")
      .Optional("most", &P::most, Integer(1, 100'000'000), "100000",
                "More pages of one list than this are an error: an API that never ends.")
      .Place(&P::where)
      .Given(&P::given)
      .Example("by: cursor\nparameter: after\nfrom: paging.next")
      .Type();
}

}  // namespace

config::Type<RequestSpec> RequestType() {
  using R = RequestSpec;
  return Object<R>("request", "A request to an API",
                   "What is asked for. Its texts may have `{cursor}`, `{window.start}`, `{window.end}`, `{window.last}`, `{parent.FIELD}`, "
                   "and of "
                   "`pages` `{page}`, `{offset}`, `{next}`; a parameter or header whose placeholder has no value yet is left out.")
      .Required("path", &R::path, PlacedTextOf("path", "/v1/rates/{window.start}"),
                "Behind the connection's `url`; `\"\"` is that address itself.")
      .Optional(
          "method", &R::method,
          Enum<std::string>({{"GET", "GET", ""}, {"POST", "POST", "a search that changes nothing: it is sent again where it failed"}}),
          "GET", "")
      .Optional("parameters", &R::parameters, MapOf(Literal()), "", "Of the query, by name.")
      .Optional("headers", &R::headers, MapOf(Literal()), "", "Beside the connection's.")
      .Optional("body", &R::body, PlacedTextOf("JSON", "'{\"after\": \"{next}\"}'"), "",
                "`POST`: JSON, as a text. `\"{name}\"` without a value becomes null.")
      .Optional("records", &R::records, PlacedTextOf("path", "data.items"), "(the answer itself)",
                "Where the answer has the records: names and places in lists, with dots between. A list has one record each, a map is one.")
      .Optional("keys", &R::keys, SomeNames("column"), "",
                "The records are the values of maps: the columns that the maps' keys become, outermost first.")
      .Optional("value", &R::value, Name("column"), "", "The column of a record that is no map, as a number in a list or under `keys`.")
      .Optional("carry", &R::carry, MapOf(PlacedTextOf("path", "meta.as_of")), "",
                "Columns that each record gets beside its own: column → path in the answer, or `parent.FIELD`, `window.start`, …")
      .Optional("on_missing", &R::missing_is_empty, Enum<bool>({{"fail", false, ""}, {"empty", true, "there are no records"}}), "fail",
                "What a status of 404 or 410, or an answer with nothing at `records`, means.")
      .Optional("pages", &R::pages, PagesType(), "(one answer has all)", "How the list goes on.")
      .Place(&R::where)
      .Given(&R::given)
      .Slip("url", "write path: what stands behind the connection's url")
      .Slip("params", "write parameters:")
      .Slip("query", "write parameters: { NAME: VALUE }")
      .Slip("pagination", "write pages:")
      .Slip("auth", "it belongs to the connection")
      .Example("path: /v1/orders\nparameters: { since: \"{cursor}\" }\nrecords: data\npages: { by: link }")
      .Type();
}

config::Type<WindowsSpec> WindowsType() {
  using W = WindowsSpec;
  return Object<W>("windows", "Windows of an API",
                   "One request, or list, for each span of time; the next batch goes on where the last one ended.")
      .Required("start", &W::start, PlacedTextOf("date or timestamp", "2024-01-01"), "Where the first window begins, in UTC.")
      .Optional("every", &W::every, Duration(), "(one window, up to now)", "How long a window is.")
      .Optional("delay", &W::delay, Duration(), "0s", "A window is asked for when it has been over for so long.")
      .Optional("form", &W::form,
                Enum<Windows::Form>({{"date", Windows::Form::kDate, "2024-01-31"},
                                     {"timestamp", Windows::Form::kTimestamp, "2024-01-31T00:00:00Z"},
                                     {"unix", Windows::Form::kUnix, "seconds"},
                                     {"unix_ms", Windows::Form::kUnixMillis, "milliseconds"}}),
                "timestamp", "How `{window.start}`, `{window.end}` and `{window.last}` (the day before the end) are written.")
      .Place(&W::where)
      .Example("every: 1d\nstart: 2024-01-01\nform: date")
      .Type();
}

config::Type<AuthSpec> AuthType() {
  using A = AuthSpec;
  const auto secret = [] { return LateText("secret", "\"${env:API_KEY}\""); };
  return Object<A>(
             "auth", "Who asks",
             "What every request of the connection says about who sends it. Secrets only as references: `${env:NAME}`, `${file:PATH}`.")
      .Required("type", &A::kind,
                config::At(Enum<AuthKind>({{"basic", AuthKind::kBasic, "`user` and `password`"},
                                           {"bearer", AuthKind::kBearer, "`token`"},
                                           {"header", AuthKind::kHeader, "`value` in the header `name`"},
                                           {"parameter", AuthKind::kParameter, "`value` in the query parameter `name`"},
                                           {"oauth2", AuthKind::kOAuth2, "client credentials, or `refresh_token` where it is given"}})),
                "")
      .Optional("user", &A::user, LateText("user", "etl"), "", "`basic`")
      .Optional("password", &A::password, secret(), "", "`basic`")
      .Optional("token", &A::token, secret(), "", "`bearer`")
      .Optional("name", &A::name, LateText("name", "X-Api-Key"), "", "`header`, `parameter`: its name.")
      .Optional("value", &A::value, secret(), "", "`header`, `parameter`: the key.")
      .Optional("token_url", &A::token_url, LateText("URL", "https://id.example.com/token"), "", "`oauth2`: where tokens are asked for.")
      .Optional("client_id", &A::client_id, LateText("text", "etl"), "", "`oauth2`")
      .Optional("client_secret", &A::client_secret, secret(), "", "`oauth2`")
      .Optional("refresh_token", &A::refresh_token, secret(), "",
                "`oauth2`: instead of the client's own right. One that changes with each use cannot be kept.")
      .Optional("scope", &A::scope, PlacedTextOf("scopes", "read:orders"), "", "`oauth2`")
      .Optional("audience", &A::audience, PlacedTextOf("text", "https://api.example.com"), "", "`oauth2`: where the server wants one.")
      .Place(&A::where)
      .Given(&A::given)
      .Example("type: bearer\ntoken: \"${env:API_TOKEN}\"")
      .Type();
}

void AddHttpKeys(Object<ConnectionSpec>& object) {
  using C = ConnectionSpec;
  object
      .Optional("url", &C::url, LateText("URL", "https://api.example.com/v1"), "",
                "`http`: what the requests' paths are put behind. Required there.")
      .Optional("auth", &C::auth, AuthType(), "(none)", "`http`: who asks.")
      .Optional("headers", &C::headers, MapOf(LateText("text", "v2")), "", "`http`: of every request.")
      .Optional("parameters", &C::parameters, MapOf(LateText("text", "eu", {"string", "number", "boolean"})), "",
                "`http`: of every request's query.")
      .Optional("rate", &C::rate, PlacedTextOf("rate", "10/s"), "(no limit)",
                "`http`: how many requests of one source in a second, minute or hour: `10/s`, `600/m`.")
      .Optional("timeout", &C::timeout, Duration(), "1m", "`http`: how long one request may take.")
      .Optional("tries", &C::tries, Integer(1, 100), "7",
                "`http`: how often a request is sent at most, where a status of 408, 425, 429 or from 500 on (but for 501 and 505) or a "
                "broken connection may pass.")
      .Optional("max_body", &C::max_body, Size(), "(64MiB)",
                "`http`: how large one answer may be, decompressed; up to eight times that is in memory for each of `max_connections`.");
}

}  // namespace sluice::project
