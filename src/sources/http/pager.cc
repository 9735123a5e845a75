#include "sources/http/pager.h"

#include <fmt/format.h>

#include <charconv>

#include "core/text.h"

namespace sluice::sources::http {
namespace {

using By = Pages::By;

Error Endless(const std::string& why) {
  return DataError("http-endless", why).Hint("look at `pages` of the request: does the API count, or name the next page, as it says?");
}

}  // namespace

Pager::Pager(const Pages& pages) : pages_(pages), at_(pages.by == By::kPage ? pages.start : 0) {}

void Pager::Give(Values* values) const {
  if (pages_.by == By::kPage) (*values)["page"] = std::to_string(at_);
  if (pages_.by == By::kOffset) (*values)["offset"] = std::to_string(at_);
  if (next_) (*values)["next"] = *next_;
}

std::vector<std::pair<std::string, std::string>> Pager::parameters() const {
  std::vector<std::pair<std::string, std::string>> out;
  const bool counts = pages_.by == By::kPage || pages_.by == By::kOffset;
  if (!pages_.parameter.empty() && (counts || next_)) out.emplace_back(pages_.parameter, counts ? std::to_string(at_) : *next_);
  if (!pages_.size_parameter.empty()) out.emplace_back(pages_.size_parameter, std::to_string(pages_.size));
  return out;
}

Result<bool> Pager::Advance(const Answer& answer, const net::HttpResponse& response, int64_t records, uint64_t hash) {
  if (pages_.by == By::kNone) return false;
  SLUICE_TRY(const bool more, MoveOn(answer, response, records));
  const bool counts = pages_.by == By::kPage || pages_.by == By::kOffset;
  if (counts && more && records > 0 && hash == hash_) return Fail(Endless("two pages, one behind the other, are the same"));
  hash_ = hash;
  if (more && ++seen_ > pages_.most) return Fail(Endless(fmt::format("the list has more than {} pages", FormatCount(pages_.most))));
  return more;
}

Result<std::optional<int64_t>> Pager::Total(const Answer& answer) const {
  if (pages_.total.empty()) return std::optional<int64_t>();
  SLUICE_TRY(const auto text, answer.TextAt(pages_.total));
  if (!text) return std::optional<int64_t>();
  int64_t total = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), total);
  if (error != std::errc() || end != text->data() + text->size())
    return Fail(DataError("http-answer", fmt::format("\"{}\" of the answer is no number: {}", pages_.total, text->substr(0, 100))));
  return std::optional(total);
}

Result<bool> Pager::MoveOn(const Answer& answer, const net::HttpResponse& response, int64_t records) {
  const bool says = !pages_.more.empty();
  if (says) {
    SLUICE_TRY(const auto more, answer.TextAt(pages_.more));
    if (!more || (*more != "true" && *more != "false"))
      return Fail(DataError("http-answer", fmt::format("\"{}\" of the answer, which says whether there is more, is {}", pages_.more,
                                                       more ? more->substr(0, 60) : "not there")));
    if (*more == "false") return false;
  }
  if (pages_.by == By::kPage || pages_.by == By::kOffset) {
    SLUICE_TRY(const auto total, Total(answer));
    // An offset goes on by what came: a server may give fewer than it was asked for.
    at_ += pages_.by == By::kPage ? 1 : records;
    const bool left = !total || (pages_.by == By::kPage ? at_ - pages_.start < *total : at_ < *total);
    if (records > 0 || !left) return left;
    if (!total && !says) return false;
    // The API says that there is more behind a page without records.
    if (pages_.by == By::kPage) return true;
    return Fail(DataError("http-answer", fmt::format("there are no records at offset {}, and the API says that there are more", at_)));
  }
  auto named = pages_.by == By::kLink ? Result<std::optional<std::string>>(NextLink(response.headers)) : answer.TextAt(pages_.from);
  if (!named) return Fail(std::move(named).error());
  auto next = *std::move(named);
  if (!next || next->empty() || *next == "false") {
    if (!says) return false;
    return Fail(DataError("http-answer", fmt::format("the API says that there is more, and has nothing at \"{}\"",
                                                     pages_.by == By::kLink ? "Link" : pages_.from)));
  }
  if (!tokens_.insert(Hash64(*next)).second) return Fail(Endless("two pages name the same next page"));
  (pages_.by == By::kCursor ? next_ : url_) = std::move(next);
  return true;
}

std::optional<std::string> NextLink(const net::Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (!EqualsIgnoreCase(name, "Link")) continue;
    for (size_t at = 0; (at = value.find('<', at)) != std::string::npos;) {
      const size_t close = value.find('>', at);
      if (close == std::string::npos) break;
      // The parameters go to the comma before the next '<', or the end; a comma within quotes is not followed by one.
      size_t end = value.find('<', close);
      if (end == std::string::npos) end = value.size();
      for (const std::string& parameter : Split(std::string_view(value).substr(close + 1, end - close - 1), ';')) {
        std::string one = ToLower(Trim(parameter));
        while (one.ends_with(',') || one.ends_with(' ')) one.pop_back();
        if (!one.starts_with("rel=")) continue;
        one = one.substr(4);
        if (one.size() >= 2 && one.starts_with('"') && one.ends_with('"')) one = one.substr(1, one.size() - 2);
        for (const std::string& relation : Split(one, ' '))
          if (relation == "next") return value.substr(at + 1, close - at - 1);
      }
      at = end;
    }
  }
  return std::nullopt;
}

std::string ResolveReference(const std::string& base, std::string_view reference) {
  const size_t scheme = base.find("://");
  if (const size_t own = reference.find("://"); own != std::string_view::npos && own <= reference.find_first_of(":/?#"))
    return std::string(reference);
  if (reference.starts_with("//")) return base.substr(0, scheme + 1) + std::string(reference);
  const size_t path = base.find_first_of("/?#", scheme + 3);
  const std::string origin = base.substr(0, path);
  if (reference.starts_with('/')) return origin + std::string(reference);
  const std::string whole = base.substr(0, base.find_first_of("?#", scheme + 3));
  if (reference.starts_with('?')) return whole + std::string(reference);
  const size_t slash = whole.rfind('/');
  return (slash < scheme + 3 ? whole + "/" : whole.substr(0, slash + 1)) + std::string(reference);
}

std::string OriginOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  const size_t path = url.find_first_of("/?#", scheme + 3);
  std::string host = ToLower(url.substr(scheme + 3, path == std::string_view::npos ? path : path - scheme - 3));
  if (const size_t user = host.rfind('@'); user != std::string::npos) host = host.substr(user + 1);
  const std::string kind = ToLower(url.substr(0, scheme));
  const size_t colon = host.rfind(':');
  if (colon == std::string::npos || host.find(']', colon) != std::string::npos) host += kind == "http" ? ":80" : ":443";
  return kind + "://" + host;
}

}  // namespace sluice::sources::http
