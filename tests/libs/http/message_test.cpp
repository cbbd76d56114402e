#include "libs/http/message.h"

#include <gtest/gtest.h>

#include "libs/http/internal/answer_queue.h"
#include "libs/http/internal/request_target.h"

namespace http {
namespace {

TEST(PercentDecodeTest, DecodesEscapesAndRefusesMalformedOnes) {
  EXPECT_EQ(PercentDecode("a%20b%2Fc", false), "a b/c");
  EXPECT_EQ(PercentDecode("a+b", true), "a b");
  EXPECT_EQ(PercentDecode("a+b", false), "a+b");
  EXPECT_EQ(PercentDecode("%zz", false), std::nullopt);
  EXPECT_EQ(PercentDecode("%4", false), std::nullopt);
  EXPECT_EQ(PercentDecode("%", false), std::nullopt);
}

TEST(RequestTest, QueryGivesTheFirstOfEqualNamesDecoded) {
  Request request;
  request.raw_target = "/w?hub.mode=subscribe&hub.challenge=11%2B1&empty=&flag&hub.mode=other&bad=%zz";
  EXPECT_EQ(request.Query("hub.mode"), "subscribe");
  EXPECT_EQ(request.Query("hub.challenge"), "11+1");
  EXPECT_EQ(request.Query("empty"), "");
  EXPECT_EQ(request.Query("flag"), "");
  EXPECT_EQ(request.Query("bad"), "%zz");
  EXPECT_EQ(request.Query("absent"), std::nullopt);
  request.raw_target = "/w";
  EXPECT_EQ(request.Query("hub.mode"), std::nullopt);
}

TEST(RequestTest, HeadersAreFoundByLowerCaseName) {
  Request request;
  request.headers = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(request.Header("a"), "1");
  EXPECT_EQ(request.Header("c"), "");
  EXPECT_EQ(request.HeaderCount("a"), 2u);
}

TEST(PathOfTargetTest, TakesOriginAndAbsoluteForm) {
  EXPECT_EQ(internal::PathOfTarget("/a%20b?c=d"), "/a b");
  EXPECT_EQ(internal::PathOfTarget("http://host:80/a?c"), "/a");
  EXPECT_EQ(internal::PathOfTarget("http://host"), "/");
  EXPECT_EQ(internal::PathOfTarget("*"), "*");
  EXPECT_EQ(internal::PathOfTarget("host:443"), std::nullopt);
  EXPECT_EQ(internal::PathOfTarget("a/b"), std::nullopt);
  EXPECT_EQ(internal::PathOfTarget("/%00"), std::nullopt);
  EXPECT_EQ(internal::PathOfTarget("/%"), std::nullopt);
}

TEST(AppendResponseTest, AHandlersLineBreakDoesNotBecomeAField) {
  std::string out;
  internal::AppendResponse({.status = 200,
                            .headers = {{"X-Echo", "a\r\nSet-Cookie: b"}, {"Bad Name", "c"}, {"Content-Length", "99"}},
                            .body = "ok"},
                           /*is_head=*/false, /*close=*/false, "now", &out);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n"
            "X-Echo: aSet-Cookie: b\r\n\r\nok");
}

TEST(AppendResponseTest, NoContentHasNoLength) {
  std::string out;
  internal::AppendResponse({.status = 204, .headers = {}, .body = "dropped"}, false, true, "now", &out);
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nDate: now\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace http
