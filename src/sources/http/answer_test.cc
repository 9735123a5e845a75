#include "sources/http/answer.h"

#include <gtest/gtest.h>

namespace sluice::sources::http {
namespace {

std::vector<std::string> Records(const std::string& body, const Request& request, const Values& values = {}) {
  std::vector<std::string> lines;
  auto answer = Answer::Parse(body);
  if (!answer) return {answer.error().code};
  const auto found = answer->ForEachRecord(request, values, [&](std::string_view record, std::string_view) {
    lines.emplace_back(record);
    return Ok();
  });
  if (!found) return {found.error().code};
  if (!found->has_value()) return {"nothing there"};
  return lines;
}

TEST(Answer, IsRefusedUnlessItIsWhole) {
  for (const char* bad :
       {"", "  ", "<html>", "{", "[1,2", "{\"a\":[1,2]", "{\"a\":1} {\"b\":2}", "{\"a\":1}x", "[1]]", "\"abc", "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(Answer::Parse(bad)) << bad;
  for (const char* good : {"{}", "[]", " [ 1 , 2 ] ", "{\"a\":{\"b\":[]}}\n"}) EXPECT_TRUE(Answer::Parse(good)) << good;
}

TEST(Answer, FindsWhatPathsName) {
  const auto answer = Answer::Parse(R"({"meta":{"next":"a\"b","pages":7,"more":true,"none":null},"list":[{"x":1.50},{"x":2}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->TextAt("meta.next").value(), "a\"b");
  EXPECT_EQ(answer->At("meta.next").value(), R"("a\"b")");
  EXPECT_EQ(answer->TextAt("meta.pages").value(), "7");
  EXPECT_EQ(answer->TextAt("meta.more").value(), "true");
  EXPECT_EQ(answer->TextAt("list.0.x").value(), "1.50");  // as it was written
  EXPECT_EQ(answer->TextAt("$.list.1.x").value(), "2");
  for (const char* nothing : {"meta.none", "meta.other", "meta.next.x", "list.7", "list.x", "meta"})
    EXPECT_EQ(answer->TextAt(nothing).value(), std::nullopt) << nothing;
}

TEST(Answer, WhatIsBrokenOnTheWayIsNotMissing) {
  const auto answer = Answer::Parse(R"({"data":[{"id":1}] "next":"x"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->TextAt("next").error().code, "http-answer");
}

TEST(Answer, CountsElementsNotLeaves) {
  Request request;
  request.records = "d";
  request.keys = {"k"};
  request.value = "v";
  const auto count = [&](const std::string& body) {
    return Answer::Parse(body)->ForEachRecord(request, {}, [](std::string_view, std::string_view) { return Ok(); }).value();
  };
  EXPECT_EQ(count(R"({"d":[{"a":1,"b":2},{},{"c":3}]})"), 3);
  EXPECT_EQ(count(R"({"d":{"a":1,"b":2}})"), 2);
  EXPECT_EQ(count(R"({"d":null})"), std::nullopt);
}

TEST(Answer, GivesRecordsAsTheyStand) {
  Request request;
  request.records = "data.items";
  EXPECT_EQ(
      Records(R"({"data":{"items":[ {"id": 12345678901234567890123, "p": 1.0912345678901234567}, {"a":"x\ny"}, 7, null ]}})", request),
      (std::vector<std::string>{R"({"id":12345678901234567890123,"p":1.0912345678901234567})", R"({"a":"x\ny"})", "7", "null"}));
  EXPECT_EQ(Records(R"({"data":{"items":[]}})", request), std::vector<std::string>{});
  EXPECT_EQ(Records(R"({"data":{}})", request), std::vector<std::string>{"nothing there"});
  EXPECT_EQ(Records(R"({"data":{"items":null}})", request), std::vector<std::string>{"nothing there"});
  EXPECT_EQ(Records(R"([1])", request), std::vector<std::string>{"nothing there"});
  EXPECT_EQ(Records(R"({"data":{"items":{"id":1}}})", request), std::vector<std::string>{R"({"id":1})"});
}

TEST(Answer, TheWholeIsAListOrOneRecord) {
  EXPECT_EQ(Records(R"([{"a":1},{"a":2}])", {}), (std::vector<std::string>{R"({"a":1})", R"({"a":2})"}));
  EXPECT_EQ(Records(R"({"a":1})", {}), std::vector<std::string>{R"({"a":1})"});
  EXPECT_EQ(Records("7", {}), std::vector<std::string>{"http-answer"});
}

TEST(Answer, MapsOfMapsBecomeRecords) {
  Request request;
  request.records = "rates";
  request.keys = {"date", "currency"};
  request.value = "rate";
  request.carry = {{"base", "base"}, {"day", "window.start"}, {"none", "missing"}};
  EXPECT_EQ(
      Records(R"({"base":"EUR","rates":{"2024-01-02":{"USD":1.1,"GBP":0.8},"2024-01-03":{}}})", request, {{"window.start", "\"2024\""}}),
      (std::vector<std::string>{R"({"base":"EUR","none":null,"day":"2024","date":"2024-01-02","currency":"USD","rate":1.1})",
                                R"({"base":"EUR","none":null,"day":"2024","date":"2024-01-02","currency":"GBP","rate":0.8})"}));
  request.carry.clear();
  request.keys = {"id"};
  EXPECT_EQ(Records(R"({"rates":{"a\"":{"x":1},"b":{}}})", request), (std::vector<std::string>{R"({"id":"a\"","x":1})", R"({"id":"b"})"}));
}

TEST(Answer, LooksIntoARecordWhileItWalks) {
  const auto answer = Answer::Parse(R"([{"a":{"b":"x"}},{"a":{"b":"y"}}])");
  ASSERT_TRUE(answer);
  std::string seen;
  const auto found = answer->ForEachRecord({}, {}, [&](std::string_view record, std::string_view) {
    seen += FieldOf(record, "a.b", false).value_or("?");
    return Ok();
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(seen, "xy");
}

TEST(Placeholders, AreFilledAsWhereTheyStandNeeds) {
  const Values values = {{"cursor", "a b/\"ü"}, {"page", "2"}};
  EXPECT_EQ(Fill("x={cursor}&{page}", values), "x=a b/\"ü&2");
  EXPECT_EQ(FillPath("/v1/{cursor}", values), "/v1/a%20b%2F%22%C3%BC");
  EXPECT_EQ(FillBody(R"({"after":"{cursor}","n":{page},"none":"{next}","sub":{"x":1}})", values),
            R"({"after":"a b/\"ü","n":2,"none":null,"sub":{"x":1}})");
  EXPECT_EQ(Fill("{next}", values), std::nullopt);
  EXPECT_EQ(PlaceholdersIn("/{a.b}/{ c }/{}/{d"), std::vector<std::string>{"a.b"});
}

}  // namespace
}  // namespace sluice::sources::http
