#include "sources/http/http_catalog.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "core/text.h"
#include "sources/http/answer.h"
#include "sources/http/caller.h"
#include "sources/http/pager.h"
#include "sources/profile.h"
#include "sources/propose.h"
#include "sources/scratch_records.h"

namespace sluice::sources::http {
namespace {

using nlohmann::json;

constexpr int kDeep = 3;  // members within members that are looked at

bool HoldsRecords(const json& value) { return value.is_array() && !value.empty() && value[0].is_object(); }

std::string Below(const std::string& path, const std::string& key) { return path.empty() ? key : fmt::format("{}.{}", path, key); }

// The longest list of maps; "" = the answer itself.
void FindRecords(const json& value, const std::string& path, int depth, size_t* most, std::string* found) {
  if (HoldsRecords(value) && value.size() > *most) {
    *most = value.size();
    *found = path;
  }
  if (!value.is_object() || depth == kDeep) return;
  for (const auto& [key, member] : value.items())
    if (key.find('.') == std::string::npos) FindRecords(member, Below(path, key), depth + 1, most, found);
}

bool NamesNext(std::string key) {
  key = ToLower(key);
  for (const char* name : {"next", "next_url", "nexturl", "next_page", "nextpage", "next_page_url", "next_cursor", "nextcursor",
                           "next_page_token", "nextpagetoken", "next_token", "nexttoken", "nextlink"})
    if (key == name) return true;
  return false;
}

// Where the answer seems to say what comes next.
void FindNext(const json& value, const std::string& path, int depth, std::string* found, std::string* text) {
  if (!value.is_object() || depth == kDeep || !found->empty()) return;
  for (const auto& [key, member] : value.items()) {
    const std::string here = Below(path, key);
    if (NamesNext(key) && member.is_string() && !member.get<std::string>().empty() && key.find('.') == std::string::npos) {
      *found = here;
      *text = member;
      return;
    }
    FindNext(member, here, depth + 1, found, text);
  }
}

std::string PagesYaml(const json& answer, const net::HttpResponse& response) {
  if (NextLink(response.headers)) return "    pages: { by: link }\n";
  std::string from, text;
  FindNext(answer, "", 0, &from, &text);
  if (from.empty())
    return "    # pages: { by: page }          # if there is more than this one answer: page, offset, cursor, link or next_url\n";
  if (text.find("://") != std::string::npos || text.starts_with('/'))
    return fmt::format("    pages: {{ by: next_url, from: {} }}\n", YamlText(from));
  return fmt::format("    pages: {{ by: cursor, from: {}, parameter: cursor }}  # is that the parameter's name?\n", YamlText(from));
}

// The last name in a path that is no number.
std::string NameFor(const std::string& path) {
  std::string name;
  for (const std::string& part : Split(path.substr(0, path.find('?')), '/'))
    if (!part.empty() && part.find_first_not_of("0123456789") != std::string::npos) name = part;
  return TableName(name.empty() ? "api" : name);
}

Error NothingThere() { return UserError("nothing-to-propose", "the answer has no records").Hint("name a path that has some"); }

class HttpCatalog : public Catalog {
 public:
  explicit HttpCatalog(const SourceSpec& spec) : spec_(spec), settings_(std::get<Settings>(spec.peer)) {}

  // Any answer will do that does not turn us away.
  Result<std::string> Reach() override {
    settings_.tries = 1;
    Caller caller(settings_, spec_.cancel, SystemClock(), SystemRandom());
    const auto response = caller.Send({"GET", settings_.url, {}, ""});
    static const std::set<std::string> kAnswers = {"http-refused", "http-too-large", "http-other-host", "http-failed"};
    if (!response && !kAnswers.contains(response.error().code)) return Fail(response.error());
    return settings_.shown;
  }

  Result<std::vector<Listed>> List() override {
    return Fail(UserError("no-list", fmt::format("{} is an API, and APIs do not tell which paths they have", settings_.name))
                    .Hint(fmt::format("name one: sluice inspect {}./orders", settings_.name)));
  }

  Result<Proposed> Propose(const std::string& name) override {
    const std::string path = name.starts_with('/') || name.starts_with('?') ? name : "/" + name;
    Caller caller(settings_, spec_.cancel, SystemClock(), SystemRandom());
    SLUICE_TRY(net::HttpResponse response, caller.Send({"GET", settings_.url + path, {}, ""}));
    if (!response.ok())
      return Fail(UserError("http-not-found", fmt::format("GET {}{} answers with status {}", settings_.shown,
                                                          path.substr(0, path.find('?')), response.status))
                      .Hint("look at the path"));
    const json whole = json::parse(response.body, nullptr, false);
    SLUICE_TRY(const Answer answer, Answer::Parse(std::move(response.body)));
    Request request;
    size_t most = 0;
    FindRecords(whole, "", 0, &most, &request.records);
    SLUICE_TRY(const TableProfile profile, ProfileOf(answer, request));
    if (profile.columns.empty()) return Fail(NothingThere());
    Proposed proposed;
    proposed.name = path;
    for (const auto& field : TypesOf(profile, true).columns) proposed.columns.push_back({field.name, field.type});
    proposed.primary_key = ProposeKey(profile);
    proposed.cursor = ProposeSequence(profile);
    proposed.yaml = Yaml(path, request, PagesYaml(whole, response), profile, proposed);
    return proposed;
  }

 private:
  Result<TableProfile> ProfileOf(const Answer& answer, const Request& request) const {
    SLUICE_TRY(ScratchRecords records, ScratchRecords::Make(spec_.scratch_dir, "sluice-http", ""));
    SLUICE_CHECK(answer.ForEachRecord(request, {}, [&](std::string_view record, std::string_view) -> Status {
      SLUICE_CHECK(records.Write(record));
      return records.Write("\n");
    }));
    SLUICE_CHECK(records.Close());
    if (records.bytes() == 0) return Fail(NothingThere());
    return ProfileFiles(records.store(), {records.file()}, FileFormat::kNdjson, {});
  }

  std::string Yaml(const std::string& path, const Request& request, const std::string& pages, const TableProfile& profile,
                   const Proposed& proposed) const {
    std::string out = fmt::format("# bronze.{}: records of {} {}, as they were.\n", NameFor(path), settings_.name, path);
    out += "# Proposed from one answer. Read it through: a contract is what you promise to your readers.\n";
    out += fmt::format("connection: {}\nread:\n  request:\n    path: {}\n", YamlText(settings_.name), YamlText(path));
    if (!request.records.empty()) out += fmt::format("    records: {}\n", YamlText(request.records));
    out += pages;
    if (proposed.cursor.empty())
      out += "load: full                       # each run takes the whole; or: append with windows, incremental with a cursor\n";
    else
      out += fmt::format(
          "load: full                       # or, if the API can be asked for what changed: incremental, with cursor: {}\n"
          "                                 # and parameters: {{ since: \"{{cursor}}\" }} in the request\n",
          YamlText(proposed.cursor));
    return out + ContractYaml(profile);
  }

  const SourceSpec spec_;
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenHttpCatalog(const SourceSpec& spec) { return std::make_unique<HttpCatalog>(spec); }

}  // namespace sluice::sources::http
