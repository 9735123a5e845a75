#include "sources/http/pager.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text.h"

namespace sluice::sources::http {
namespace {

using By = Pages::By;

Result<bool> Advance(Pager& pager, const std::string& body, int64_t records, const net::Headers& headers = {}) {
  const auto answer = Answer::Parse(body);
  if (!answer) return Fail(answer.error());
  return pager.Advance(*answer, {200, headers, ""}, records, Hash64(body));
}

std::string Parameters(const Pager& pager) {
  std::string out;
  for (const auto& [name, value] : pager.parameters()) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

TEST(Pager, CountsPagesUntilOneIsEmpty) {
  Pages pages{By::kPage, "page", "per_page", 50, 0};
  Pager pager(pages);
  EXPECT_EQ(Parameters(pager), "page=0&per_page=50");
  EXPECT_TRUE(Advance(pager, "[1]", 1).value());
  EXPECT_EQ(Parameters(pager), "page=1&per_page=50");
  EXPECT_FALSE(Advance(pager, "[]", 0).value());
}

TEST(Pager, EndsAtTheTotal) {
  Pages pages{By::kPage, "page"};
  pages.total = "n";
  Pager pager(pages);
  EXPECT_TRUE(Advance(pager, R"({"n":2,"a":1})", 5).value());
  EXPECT_FALSE(Advance(pager, R"({"n":2,"a":2})", 5).value());
  pages.by = By::kOffset;
  Pager offset(pages);
  EXPECT_TRUE(Advance(offset, R"({"n":12,"a":1})", 7).value());  // fewer than it was asked for, perhaps
  EXPECT_EQ(Parameters(offset), "page=7");
  EXPECT_FALSE(Advance(offset, R"({"n":"12","a":2})", 5).value());
  Pager wrong(pages);
  EXPECT_EQ(Advance(wrong, R"({"n":"many"})", 7).error().code, "http-answer");
}

TEST(Pager, FollowsACursorAndAddresses) {
  Pages pages{By::kCursor, "after"};
  pages.from = "next";
  Pager cursor(pages);
  EXPECT_EQ(Parameters(cursor), "");
  EXPECT_TRUE(Advance(cursor, R"({"next":"x"})", 0).value());  // an empty page says nothing about the next
  EXPECT_EQ(Parameters(cursor), "after=x");
  EXPECT_EQ(Advance(cursor, R"({"next":"x","a":2})", 1).error().code, "http-endless");
  Pager ends(pages);
  EXPECT_FALSE(Advance(ends, R"({"next":null})", 1).value());
  pages.more = "more";
  Pager more(pages);
  EXPECT_FALSE(Advance(more, R"({"next":"x","more":false})", 1).value());
  Pages links{By::kLink};
  Pager link(links);
  EXPECT_TRUE(Advance(link, "[1]", 1, {{"link", "<https://a/x?p=2>; rel=\"next\""}}).value());
  EXPECT_EQ(link.url(), "https://a/x?p=2");
  EXPECT_FALSE(Advance(link, "[2]", 1, {{"Link", "<https://a/x?p=1>; rel=prev"}}).value());
}

TEST(Pager, NoticesAListWithoutAnEnd) {
  Pages pages{By::kPage, "page"};
  Pager same(pages);
  EXPECT_TRUE(Advance(same, "[1]", 1).value());
  EXPECT_EQ(Advance(same, "[1]", 1).error().code, "http-endless");
  pages.most = 2;
  Pager many(pages);
  EXPECT_TRUE(Advance(many, "[1]", 1).value());
  EXPECT_EQ(Advance(many, "[2]", 1).error().code, "http-endless");
}

TEST(NextLink, IsFoundAmongOthers) {
  EXPECT_EQ(NextLink({{"Link", R"(</a?x=1,2>; rel="prev", </b>; title="a, b"; rel="last next")"}}), "/b");
  EXPECT_EQ(NextLink({{"Link", "</a>; rel=first"}, {"Link", "</c>;rel=next"}}), "/c");
  EXPECT_EQ(NextLink({{"Link", "nonsense"}}), std::nullopt);
  EXPECT_EQ(NextLink({}), std::nullopt);
}

TEST(References, AreResolved) {
  const std::string base = "https://api.example.com:8443/v1/list?page=1";
  EXPECT_EQ(ResolveReference(base, "https://other/x"), "https://other/x");
  EXPECT_EQ(ResolveReference(base, "//other/x"), "https://other/x");
  EXPECT_EQ(ResolveReference(base, "/v2"), "https://api.example.com:8443/v2");
  EXPECT_EQ(ResolveReference(base, "?page=2"), "https://api.example.com:8443/v1/list?page=2");
  EXPECT_EQ(ResolveReference(base, "more?u=http://x"), "https://api.example.com:8443/v1/more?u=http://x");
  EXPECT_EQ(ResolveReference("https://a", "b"), "https://a/b");
}

TEST(Origins, HaveAPort) {
  EXPECT_EQ(OriginOf("HTTPS://Api.example.com/x"), "https://api.example.com:443");
  EXPECT_EQ(OriginOf("https://api.example.com:443?x"), "https://api.example.com:443");
  EXPECT_EQ(OriginOf("http://u:p@h:80/"), "http://h:80");
  EXPECT_EQ(OriginOf("http://[::1]/"), "http://[::1]:80");
  EXPECT_EQ(OriginOf("ftp"), "");
  EXPECT_NE(OriginOf("https://h@evil/"), OriginOf("https://h/"));
}

}  // namespace
}  // namespace sluice::sources::http
