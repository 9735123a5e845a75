// What an HTTP API may answer: whatever it is, it is taken apart or refused; what is JSON gives as many records as it has.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "input.h"
#include "sources/http/answer.h"
#include "sources/http/growth.h"
#include "sources/http/pager.h"

namespace sluice::fuzz {
namespace {

using namespace sources::http;  // NOLINT: all of it is about this

constexpr const char* kPaths[] = {"", "a", "a.b", "0", "1.a", "$.b"};
constexpr size_t kDeep = 500;  // brackets, from where on depth may be refused

std::string PathOf(Settings& settings) { return kPaths[settings.Next(std::size(kPaths))]; }

// As many as there are at the path, by another reader.
std::optional<size_t> CountRecords(const std::string& body, const Request& request) {
  if (body.find('\0') != std::string::npos) return {};  // the other reader takes it for the end
  if (std::count_if(body.begin(), body.end(), [](char c) { return c == '[' || c == '{'; }) > static_cast<std::ptrdiff_t>(kDeep)) return {};
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_structured() || !request.records.empty() || !request.keys.empty()) return {};
  return json.is_array() ? json.size() : 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  Request request;
  request.records = PathOf(settings);
  if (settings.Next(3) == 0) request.keys = {"k"};
  if (settings.Next(3) == 0) request.value = "v";
  if (settings.Next(3) == 0) request.carry = {{"c", PathOf(settings)}, {"w", "window.start"}};
  Pages pages;
  pages.by = static_cast<Pages::By>(settings.Next(6));
  pages.from = PathOf(settings);
  pages.total = settings.Next(2) == 0 ? "" : PathOf(settings);
  const std::string body(settings.text());
  (void)NextLink({{"Link", body}});
  (void)ResolveReference("https://h/p?q", body);
  (void)OriginOf(body);
  (void)FillBody(body, {{"next", body}});
  const auto expected = CountRecords(body, request);
  const auto answer = Answer::Parse(body);
  Require(answer || !expected, "what is JSON is taken", body);
  if (!answer) return 0;
  Growth growth("a", static_cast<int64_t>(settings.Next(3)), settings.Next(2) == 0, {1'700'000'000'000'000}, {"1", {"x"}, {}});
  size_t records = 0;
  const auto found = answer->ForEachRecord(request, {{"window.start", "\"2024\""}}, [&](std::string_view record, std::string_view own) {
    ++records;
    Require(record.ends_with(own) && record.find('\n') == std::string_view::npos, "a record is a line that ends as it was given",
            std::string(record));
    (void)growth.Take(record, own);
    return Ok();
  });
  if (expected && found)
    Require(records == *expected && static_cast<size_t>(found->value_or(0)) == *expected, "all records are given", body);
  (void)growth.After();
  Pager pager(pages);
  (void)pager.Advance(*answer, {200, {{"Link", body}}, ""}, static_cast<int64_t>(records), records);
  (void)pager.parameters();
  return 0;
}

}  // namespace sluice::fuzz
