// HTTP APIs: the connection, and the requests of a source.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "config/interpolate.h"
#include "core/text.h"
#include "core/time.h"
#include "project/build.h"
#include "sources/http/placeholders.h"

namespace sluice::project {
namespace {

using config::GivenKey;
using sources::http::AuthKind;
using sources::http::Pages;
using sources::http::Request;

// Which keys go with which kind of auth.
struct KindKeys {
  AuthKind kind;
  const char* name;
  std::vector<std::string> required, optional;
};
const std::vector<KindKeys>& AuthKinds() {
  static const std::vector<KindKeys> kinds = {
      {AuthKind::kBasic, "basic", {"user", "password"}, {}},
      {AuthKind::kBearer, "bearer", {"token"}, {}},
      {AuthKind::kHeader, "header", {"name", "value"}, {}},
      {AuthKind::kParameter, "parameter", {"name", "value"}, {}},
      {AuthKind::kOAuth2, "oauth2", {"token_url", "client_id", "client_secret"}, {"refresh_token", "scope", "audience"}},
  };
  return kinds;
}

HttpConnection::Auth BuildAuth(const AuthSpec& spec, Diagnostics& diagnostics) {
  HttpConnection::Auth auth;
  auth.kind = spec.kind.value;
  const auto& kinds = AuthKinds();
  const auto keys = std::find_if(kinds.begin(), kinds.end(), [&](const KindKeys& one) { return one.kind == auth.kind; });
  if (keys == kinds.end()) return auth;  // what it is was refused
  const std::string what = fmt::format("auth of type {}", keys->name);
  for (const std::string& key : keys->required) RequireKey(what, spec.given, spec.where, key, "add " + key + ":", diagnostics);
  for (const GivenKey& given : spec.given) {
    const auto is = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), given.name) != list.end(); };
    if (given.name == "type" || is(keys->required) || is(keys->optional)) continue;
    diagnostics.Add(UserError("conflicting-keys", fmt::format("\"{}\" does not go with {}", given.name, what))
                        .At(given.where)
                        .Hint(fmt::format("remove it; {} takes {}", keys->name, Join(keys->required, ", "))));
  }
  RefusePlainSecret(spec.password, "password", diagnostics);
  RefusePlainSecret(spec.token, "token", diagnostics);
  RefusePlainSecret(spec.value, "value", diagnostics);
  RefusePlainSecret(spec.client_secret, "client_secret", diagnostics);
  RefusePlainSecret(spec.refresh_token, "refresh_token", diagnostics);
  auth.name = LateOf(spec.user ? spec.user : spec.name);
  auth.secret = LateOf(spec.password ? spec.password : spec.token ? spec.token : spec.value ? spec.value : spec.client_secret);
  auth.token_url = LateOf(spec.token_url);
  auth.client_id = LateOf(spec.client_id);
  auth.refresh_token = LateOf(spec.refresh_token);
  if (spec.scope) auth.scope = spec.scope->value;
  if (spec.audience) auth.audience = spec.audience->value;
  return auth;
}

// "10/s"
void TakeRate(const PlacedText& text, HttpConnection* made, Diagnostics& diagnostics) {
  const size_t slash = text.value.find('/');
  const std::string count = text.value.substr(0, slash), unit = slash == std::string::npos ? "" : text.value.substr(slash + 1);
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), made->rate);
  const bool number = error == std::errc() && end == count.data() + count.size() && made->rate > 0 && made->rate <= 1'000'000;
  made->rate_micros = unit == "s" ? 1'000'000LL : unit == "m" ? 60'000'000LL : unit == "h" ? 3'600'000'000LL : 0;
  if (number && made->rate_micros > 0) return;
  made->rate = 0;
  diagnostics.Add(UserError("wrong-type", fmt::format("\"rate\" must be a number of requests in a time, found \"{}\"", text.value))
                      .At(text.where)
                      .Hint("write rate: 10/s, 600/m or 5000/h"));
}

std::vector<std::pair<std::string, std::string>> PairsOf(const std::vector<std::pair<PlacedText, PlacedText>>& given) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : given) pairs.emplace_back(name.value, value.value);
  return pairs;
}

std::string TextOf(const std::optional<PlacedText>& text) { return text ? text->value : ""; }

void CheckPath(const std::optional<PlacedText>& path, std::string_view key, Diagnostics& diagnostics) {
  if (!path || path->value.find_first_of("[]*()") == std::string::npos) return;
  diagnostics.Add(UserError("wrong-type", fmt::format("\"{}\" is a path of names and places in lists, with dots between them", key))
                      .At(path->where)
                      .Hint("write data.items, or data.0.items"));
}

Pages BuildPages(const PagesSpec& spec, Diagnostics& diagnostics) {
  using By = Pages::By;
  Pages pages;
  pages.by = spec.by;
  const bool counts = spec.by == By::kPage || spec.by == By::kOffset;
  const bool from = spec.by == By::kCursor || spec.by == By::kNextUrl;
  if (from) RequireKey("\"pages\"", spec.given, spec.where, "from", "say where the answer has it: from: meta.next", diagnostics);
  const auto refuse = [&](const char* key, bool fits, const char* of) {
    if (const GivenKey* given = FindGiven(spec.given, key); given != nullptr && !fits)
      diagnostics.Add(UserError("conflicting-keys", fmt::format("\"{}\" is of pages by {}", key, of)).At(given->where).Hint("remove it"));
  };
  refuse("from", from, "cursor and next_url");
  refuse("total", counts, "page and offset");
  refuse("start", spec.by == By::kPage, "page");
  refuse("parameter", counts || spec.by == By::kCursor, "page, offset and cursor");
  pages.parameter = spec.parameter           ? spec.parameter->value
                    : spec.by == By::kPage   ? "page"
                    : spec.by == By::kOffset ? "offset"
                    : spec.by == By::kCursor ? "cursor"
                                             : "";
  pages.size = spec.size.value_or(0);
  if (spec.size) pages.size_parameter = spec.size_parameter ? spec.size_parameter->value : "limit";
  if (spec.size_parameter && !spec.size)
    diagnostics.Add(UserError("missing-key", "\"size_parameter\" goes with \"size\"").At(spec.size_parameter->where).Hint("add size: 100"));
  CheckPath(spec.from, "from", diagnostics);
  CheckPath(spec.total, "total", diagnostics);
  CheckPath(spec.more, "more", diagnostics);
  pages.start = spec.start.value_or(1);
  pages.from = TextOf(spec.from);
  pages.total = TextOf(spec.total);
  pages.more = TextOf(spec.more);
  pages.most = spec.most;
  return pages;
}

// What a request's texts may name.
struct Known {
  std::vector<std::string> names;
  bool parent = false;

  bool Has(const std::string& name) const {
    return (parent && name.starts_with("parent.") && name.size() > 7) || std::find(names.begin(), names.end(), name) != names.end();
  }
};

void CheckPlaceholders(const PlacedText& text, const Known& known, Diagnostics& diagnostics) {
  for (const std::string& name : sources::http::PlaceholdersIn(text.value)) {
    if (known.Has(name)) continue;
    std::string all = Join(known.names, "}, {");
    if (known.parent) all += (all.empty() ? "" : "}, {") + std::string("parent.FIELD");
    diagnostics.Add(UserError("unknown-placeholder", fmt::format("there is no {{{}}} here{}", name, DidYouMean(name, known.names)))
                        .At(text.where)
                        .Hint(all.empty()
                                  ? "{cursor} comes with load: incremental, {window.start} with windows, {parent.FIELD} with for_each"
                                  : "there are {" + all + "}"));
  }
}

// Of a body, the strings that are nothing but a placeholder: other braces may be JSON's, or a query's.
PlacedText WholeStrings(const PlacedText& body) {
  PlacedText found{"", body.where};
  for (const std::string& name : sources::http::PlaceholdersIn(body.value))
    if (body.value.find("\"{" + name + "}\"") != std::string::npos) found.value += "{" + name + "}";
  return found;
}

// So that placeholders without quotes are numbers.
sources::http::Values SomeValues(const PlacedText& body) {
  sources::http::Values values;
  for (const std::string& name : sources::http::PlaceholdersIn(body.value)) values[name] = "0";
  return values;
}

Request BuildRequest(const RequestSpec& spec, Known known, Diagnostics& diagnostics) {
  Request request;
  request.method = spec.method;
  request.path = spec.path.value;
  request.parameters = PairsOf(spec.parameters);
  request.headers = PairsOf(spec.headers);
  request.body = TextOf(spec.body);
  request.records = TextOf(spec.records);
  for (const PlacedText& key : spec.keys) request.keys.push_back(key.value);
  request.value = TextOf(spec.value);
  request.carry = PairsOf(spec.carry);
  request.missing_is_empty = spec.missing_is_empty;
  if (spec.pages) request.pages = BuildPages(*spec.pages, diagnostics);
  CheckPath(spec.records, "records", diagnostics);
  for (const auto& [column, from] : spec.carry) CheckPath(from, column.value, diagnostics);
  if (request.path.find("://") != std::string::npos)
    diagnostics.Add(UserError("wrong-type", "\"path\" stands behind the connection's url")
                        .At(spec.path.where)
                        .Hint("write what comes behind it: /v1/orders"));
  if (spec.body && spec.method != "POST")
    diagnostics.Add(UserError("conflicting-keys", "\"body\" goes with method: POST")
                        .At(spec.body->where)
                        .Hint("add method: POST, or write parameters"));
  if (spec.body && !nlohmann::json::accept(sources::http::FillBody(spec.body->value, SomeValues(*spec.body))))
    diagnostics.Add(UserError("wrong-type", "\"body\" is no JSON")
                        .At(spec.body->where)
                        .Hint("write it in single quotes: '{\"after\": \"{next}\"}'; placeholders go between quotes"));
  if (request.pages.by == Pages::By::kPage) known.names.emplace_back("page");
  if (request.pages.by == Pages::By::kOffset) known.names.emplace_back("offset");
  if (request.pages.by == Pages::By::kCursor) known.names.emplace_back("next");
  CheckPlaceholders(spec.path, known, diagnostics);
  if (spec.body) CheckPlaceholders(WholeStrings(*spec.body), known, diagnostics);
  for (const auto& [column, from] : spec.carry)
    if (from.value.starts_with("parent.") || from.value.starts_with("window."))
      CheckPlaceholders({"{" + from.value + "}", from.where}, known, diagnostics);
  for (const auto* pairs : {&spec.parameters, &spec.headers})
    for (const auto& [name, value] : *pairs) CheckPlaceholders(value, known, diagnostics);
  return request;
}

std::optional<sources::http::Windows> BuildWindows(const WindowsSpec& spec, Diagnostics& diagnostics) {
  sources::http::Windows windows{spec.every.value_or(0), {}, spec.delay, spec.form};
  constexpr int64_t kDay = 86'400'000'000;
  if (const auto date = ParseDate(spec.start.value))
    windows.start = {*date * kDay};
  else if (const auto instant = ParseInstant(spec.start.value))
    windows.start = *instant;
  else if (!spec.start.value.empty())
    diagnostics.Add(UserError("bad-literal", fmt::format("\"start\" is no date or timestamp: {}", spec.start.value))
                        .At(spec.start.where)
                        .Hint("write start: 2024-01-01, or 2024-01-01T00:00:00Z"));
  if (spec.every && (*spec.every < 1'000'000 || (spec.form == sources::http::Windows::Form::kDate && *spec.every % kDay != 0)))
    diagnostics.Add(
        UserError("wrong-type", spec.every < 1'000'000 ? "a window is at least a second long" : "windows of form: date are whole days")
            .At(spec.where)
            .Hint("write every: 1d"));
  return windows;
}

void RefuseOthers(const SourceSpec& spec, Diagnostics& diagnostics) {
  for (const GivenKey& given : spec.read->given)
    if (!given.inherited && given.name != "request" && given.name != "for_each" && given.name != "windows" && given.name != "start")
      diagnostics.Add(UserError("key-of-another-connection", fmt::format("\"{}\" is not of an API", given.name))
                          .At(given.where)
                          .Hint("write read: { request: { path: /v1/orders, records: data } }"));
  for (const char* key : {"exclude", "hash", "as"})
    if (const GivenKey* given = FindGiven(spec.given, key); given != nullptr && !given->inherited)
      diagnostics.Add(UserError("key-of-another-connection", fmt::format("\"{}\" is of a database's tables", key))
                          .At(given->where)
                          .Hint("leave the column out of a model; an API is asked for what it gives"));
}

void CheckGrowth(const SourceSpec& spec, const sources::RowsRead& rows, Diagnostics& diagnostics) {
  const GivenKey* load = FindGiven(spec.given, "load");
  if (load == nullptr && !spec.read->windows)
    diagnostics.Add(
        UserError("missing-key", fmt::format("the source {} lacks \"load\"", spec.name.value))
            .At(spec.where)
            .Hint("write load: full, the whole with each run; incremental, with a cursor; append, where the API gives only what is new"));
  if (spec.load == Load::kExternal && load != nullptr)
    diagnostics.Add(
        UserError("key-of-another-connection", "this load is of files").At(load->where).Hint("write load: append, full or incremental"));
  if (spec.load == Load::kIncremental && rows.cursor.empty())
    diagnostics.Add(
        UserError("missing-key", "load: incremental of an API needs \"cursor\": a field of its records that grows with every change")
            .At(load != nullptr ? load->where : spec.where)
            .Hint("add cursor: updated_at, or write load: append with windows"));
  if (spec.load == Load::kIncremental && spec.read->windows)
    diagnostics.Add(UserError("conflicting-keys", "\"windows\" and load: incremental both say what is new")
                        .At(spec.read->windows->where)
                        .Hint("take windows with load: append, or a cursor without windows"));
  if (spec.load == Load::kFull && spec.read->windows)
    diagnostics.Add(UserError("conflicting-keys", "\"windows\" go on where the last batch ended, and load: full is the whole each time")
                        .At(spec.read->windows->where)
                        .Hint("write load: append"));
  if (spec.read->start && spec.load != Load::kIncremental)
    diagnostics.Add(UserError("key-of-another-load", "\"start\" is the first {cursor} of load: incremental")
                        .At(spec.read->start->where)
                        .Hint("remove it"));
}

Result<std::vector<std::pair<std::string, Secret>>> ResolvePairs(const std::vector<std::pair<std::string, Late>>& given,
                                                                 const Connection& connection) {
  std::vector<std::pair<std::string, Secret>> pairs;
  for (const auto& [name, late] : given) {
    SLUICE_TRY(std::string value, ResolveText(late, connection));
    pairs.emplace_back(name, Secret(std::move(value)));
  }
  return pairs;
}

// A line break in a header would be a header of its own.
Status CheckHeader(const std::string& name, const Secret& value, const Location& where) {
  const auto bad = [](const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  };
  if (!bad(name) && !bad(value.Reveal())) return Ok();
  return Fail(
      UserError("bad-header", fmt::format("the header {} would have a line break or another control character in it", name.substr(0, 50)))
          .At(where)
          .Hint("look at the variable or file that its value comes from"));
}

}  // namespace

HttpConnection BuildHttp(const std::string& name, const ConnectionSpec& spec, Diagnostics& diagnostics) {
  HttpConnection made;
  RequireKey("the connection " + name, spec.given, spec.where, "url", "add url: https://api.example.com", diagnostics);
  made.url = LateOf(spec.url);
  made.tls_ca = LateOf(spec.tls_ca);
  if (spec.auth) made.auth = BuildAuth(*spec.auth, diagnostics);
  for (const auto& [key, value] : spec.headers) {
    if (EqualsIgnoreCase(key.value, "authorization")) RefusePlainSecret(value, key.value, diagnostics);
    made.headers.emplace_back(key.value, Late{value.value, value.where});
  }
  for (const auto& [key, value] : spec.parameters) made.parameters.emplace_back(key.value, Late{value.value, value.where});
  made.timeout_micros = spec.timeout;
  made.tries = static_cast<int>(spec.tries);
  made.max_body_bytes = spec.max_body ? spec.max_body->value : 64LL << 20;
  made.max_connections = static_cast<int>(spec.max_connections);
  if (spec.rate) TakeRate(*spec.rate, &made, diagnostics);
  return made;
}

sources::RowsRead BuildRequests(const SourceSpec& spec, Diagnostics& diagnostics) {
  sources::RowsRead rows;
  rows.where = spec.read ? spec.read->where : spec.where;
  auto read = std::make_shared<sources::http::Read>();
  rows.http = read;
  if (!spec.read || !spec.read->request) {
    if (spec.read ? FindGiven(spec.read->given, "request") == nullptr : FindGiven(spec.given, "read") == nullptr)
      diagnostics.Add(UserError("missing-key", fmt::format("the source {} lacks a request", spec.name.value))
                          .At(rows.where)
                          .Hint("write read: { request: { path: /v1/orders, records: data } }"));
    return rows;
  }
  RefuseOthers(spec, diagnostics);
  if (spec.cursor) rows.cursor = spec.cursor->value;
  rows.incremental = spec.load == Load::kIncremental;
  rows.lookback = 0;
  TakeLookback(spec, &rows, diagnostics);
  for (const char* key : {"cursor", "lookback"})
    if (const GivenKey* given = FindGiven(spec.given, key); given != nullptr && !given->inherited && !rows.incremental)
      diagnostics.Add(UserError("key-of-another-load", fmt::format("\"{}\" is of load: incremental", key))
                          .At(given->where)
                          .Hint("write load: incremental, or remove it"));
  if (!rows.incremental) rows.cursor.clear();
  CheckGrowth(spec, rows, diagnostics);
  Known known;
  if (rows.incremental) known.names.emplace_back("cursor");
  if (spec.read->windows) {
    read->windows = BuildWindows(*spec.read->windows, diagnostics);
    for (const char* name : {"window.start", "window.end", "window.last"}) known.names.emplace_back(name);
  }
  if (spec.read->start) read->cursor_start = spec.read->start->value;
  if (spec.read->for_each) read->parent = std::make_shared<Request>(BuildRequest(*spec.read->for_each, known, diagnostics));
  known.parent = read->parent != nullptr;
  read->request = BuildRequest(*spec.read->request, known, diagnostics);
  return rows;
}

Result<sources::http::Settings> ResolveHttp(const Connection& connection) {
  const HttpConnection& given = *connection.http;
  sources::http::Settings settings;
  settings.name = connection.name;
  settings.where = connection.where;
  SLUICE_TRY(settings.url, ResolveText(given.url, connection));
  SLUICE_TRY(settings.tls_ca, ResolveFile(given.tls_ca, connection));
  settings.auth.kind = given.auth.kind;
  SLUICE_TRY(settings.auth.name, ResolveText(given.auth.name, connection));
  SLUICE_TRY(std::string secret, ResolveText(given.auth.secret, connection));
  settings.auth.secret = Secret(std::move(secret));
  SLUICE_TRY(settings.auth.token_url, ResolveText(given.auth.token_url, connection));
  SLUICE_TRY(settings.auth.client_id, ResolveText(given.auth.client_id, connection));
  SLUICE_TRY(std::string refresh, ResolveText(given.auth.refresh_token, connection));
  settings.auth.refresh_token = Secret(std::move(refresh));
  settings.auth.scope = given.auth.scope;
  settings.auth.audience = given.auth.audience;
  SLUICE_TRY(settings.headers, ResolvePairs(given.headers, connection));
  SLUICE_TRY(settings.parameters, ResolvePairs(given.parameters, connection));
  settings.timeout_micros = given.timeout_micros;
  settings.max_body_bytes = given.max_body_bytes;
  settings.tries = given.tries;
  settings.rate = given.rate;
  settings.rate_micros = given.rate_micros;
  settings.max_connections = given.max_connections;
  for (const auto& [name, value] : settings.headers) SLUICE_CHECK(CheckHeader(name, value, connection.where));
  if (settings.auth.kind == AuthKind::kHeader || settings.auth.kind == AuthKind::kBearer)
    SLUICE_CHECK(CheckHeader(settings.auth.kind == AuthKind::kHeader ? settings.auth.name : "Authorization", settings.auth.secret,
                             connection.where));
  while (settings.url.ends_with('/')) settings.url.pop_back();
  settings.shown = config::LateReferences(given.url.text).empty() ? settings.url : given.url.text;
  for (const std::string* url : {&settings.url, &settings.auth.token_url})
    if (!(url->empty() && url == &settings.auth.token_url) && !url->starts_with("https://") && !url->starts_with("http://"))
      return Fail(UserError("bad-url", fmt::format("the address of {} must begin with https:// or http://", connection.name))
                      .At(connection.where)
                      .Hint("write url: https://api.example.com"));
  if (settings.url.find_first_of("?#@ ") != std::string::npos)
    return Fail(UserError("bad-url", fmt::format("the url of {} has a query, a user or a blank in it", connection.name))
                    .At(connection.where)
                    .Hint("write the query as parameters:, and the user as auth:"));
  return settings;
}

}  // namespace sluice::project
