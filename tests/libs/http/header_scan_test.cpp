#include "libs/http/internal/header_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "libs/http/internal/message_parser.h"

namespace http::internal {
namespace {

constexpr HeaderLimits kLimits{.header_bytes_max = 16 * 1024, .fields_max = 100, .target_bytes_max = 8 * 1024};

Refusal Scan(std::string_view bytes) {
  const HeaderEnd end = FindHeaderEnd(bytes, 0, kLimits);
  if (end.refusal != Refusal::kNone) return end.refusal;
  return end.size == 0 ? Refusal::kNone : ScanHeader(bytes.substr(0, end.size), kLimits);
}

std::string WithField(std::string_view field) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}

TEST(HeaderScanTest, OrdinaryRequestsPass) {
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"), Refusal::kNone);
  EXPECT_EQ(Scan("GET / HTTP/1.0\r\n\r\n"), Refusal::kNone);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost:\r\nX-Empty:\r\n\r\n"), Refusal::kNone);
  EXPECT_EQ(Scan(WithField("Content-Length: 12")), Refusal::kNone);
  EXPECT_EQ(Scan(WithField("transfer-encoding: Chunked")), Refusal::kNone);
  EXPECT_EQ(Scan(WithField("Expect: 100-continue")), Refusal::kNone);
  EXPECT_EQ(Scan(WithField("User-Agent: \xe4\xf6 (\t)")), Refusal::kNone);
}

TEST(HeaderScanTest, AmbiguousFramingIsRefused) {
  EXPECT_EQ(Scan(WithField("Content-Length: 1\r\nTransfer-Encoding: chunked")), Refusal::kLengthAndCoding);
  EXPECT_EQ(Scan(WithField("Transfer-Encoding: chunked\r\nContent-Length: 1")), Refusal::kLengthAndCoding);
  EXPECT_EQ(Scan(WithField("Content-Length: 1\r\nContent-Length: 2")), Refusal::kRepeatedContentLength);
  EXPECT_EQ(Scan(WithField("Content-Length: 1\r\nContent-Length: 1")), Refusal::kRepeatedContentLength);
  for (const char* value : {"+4", "-1", "0x4", "4,4", "4 4", "", "1e3", "9999999999999999999"}) {
    EXPECT_EQ(Scan(WithField(std::string("Content-Length: ") + value)), Refusal::kBadContentLength) << value;
  }
  for (const char* value :
       {"xchunked", "chunked, chunked", "gzip, chunked", "identity", "", "chunked;q=1", "\"chunked\""}) {
    EXPECT_EQ(Scan(WithField(std::string("Transfer-Encoding: ") + value)), Refusal::kUnknownCoding) << value;
  }
  EXPECT_EQ(Scan(WithField("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")), Refusal::kUnknownCoding);
  EXPECT_EQ(Scan("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Refusal::kUnknownCoding);
}

TEST(HeaderScanTest, EveryDeviationOfAFieldLineHasItsReason) {
  EXPECT_EQ(Scan(WithField("X: a\r\n b")), Refusal::kObsoleteFold);
  EXPECT_EQ(Scan(WithField("X: a\r\n\tb")), Refusal::kObsoleteFold);
  EXPECT_EQ(Scan(WithField("X : a")), Refusal::kBadFieldName);
  EXPECT_EQ(Scan(WithField("X")), Refusal::kBadFieldName);
  EXPECT_EQ(Scan(WithField(": a")), Refusal::kBadFieldName);
  EXPECT_EQ(Scan(WithField("X\x01: a")), Refusal::kBadFieldName);
  EXPECT_EQ(Scan(WithField(std::string_view("X: a\0b", 6))), Refusal::kBadFieldValue);
  EXPECT_EQ(Scan(WithField("X: a\rb")), Refusal::kBadFieldValue);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), Refusal::kBareLineFeed);
  EXPECT_EQ(Scan("\nGET / HTTP/1.1\r\n\r\n"), Refusal::kBareLineFeed);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nX: y\r\n\r\n"), Refusal::kMissingHost);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Refusal::kBadHost);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), Refusal::kBadHost);
  EXPECT_EQ(Scan("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), Refusal::kBadHost);
  EXPECT_EQ(Scan(WithField("Expect: something")), Refusal::kUnknownExpectation);
}

TEST(HeaderScanTest, EveryDeviationOfTheRequestLineHasItsReason) {
  EXPECT_EQ(Scan("\r\n\r\n"), Refusal::kBadRequestLine);
  EXPECT_EQ(Scan("GET /\r\n\r\n"), Refusal::kBadRequestLine);
  EXPECT_EQ(Scan("GET\t/ HTTP/1.1\r\n\r\n"), Refusal::kBadRequestLine);
  EXPECT_EQ(Scan("GET / http/1.1\r\n\r\n"), Refusal::kBadRequestLine);
  EXPECT_EQ(Scan("G(T / HTTP/1.1\r\n\r\n"), Refusal::kBadRequestLine);
  EXPECT_EQ(Scan("GET /a b HTTP/1.1\r\n\r\n"), Refusal::kBadTarget);
  EXPECT_EQ(Scan("GET  / HTTP/1.1\r\n\r\n"), Refusal::kBadTarget);
  EXPECT_EQ(Scan("GET /\xc3\xa4 HTTP/1.1\r\n\r\n"), Refusal::kBadTarget);
  EXPECT_EQ(Scan("GET / HTTP/2.0\r\n\r\n"), Refusal::kUnsupportedVersion);
  EXPECT_EQ(Scan("GET / HTTP/1.2\r\n\r\n"), Refusal::kUnsupportedVersion);
}

TEST(HeaderScanTest, LimitsAreInclusive) {
  const auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(Scan(with_target(kLimits.target_bytes_max)), Refusal::kNone);
  EXPECT_EQ(Scan(with_target(kLimits.target_bytes_max + 1)), Refusal::kTargetTooLong);

  const auto with_fields = [](std::size_t count) {
    std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (std::size_t i = 1; i < count; ++i) bytes += "X: y\r\n";
    return bytes + "\r\n";
  };
  EXPECT_EQ(Scan(with_fields(kLimits.fields_max)), Refusal::kNone);
  EXPECT_EQ(Scan(with_fields(kLimits.fields_max + 1)), Refusal::kTooManyFields);

  const auto with_size = [](std::size_t bytes) {
    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return start + std::string(bytes - start.size() - 4, 'y') + "\r\n\r\n";
  };
  EXPECT_EQ(Scan(with_size(kLimits.header_bytes_max)), Refusal::kNone);
  EXPECT_EQ(Scan(with_size(kLimits.header_bytes_max + 1)), Refusal::kHeaderTooLarge);
}

// Goal: the answer depends on the bytes, not on how the network cut them; and what the scan lets through, Beast parses.
// Method: 3,000 requests made by random edits of good ones, each judged whole and byte by byte.
TEST(HeaderScanTest, PiecesAreJudgedLikeTheWholeUnderRandomEdits) {
  constexpr std::uint32_t kSeed = 20;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  constexpr HeaderLimits kSmall{.header_bytes_max = 120, .fields_max = 4, .target_bytes_max = 20};
  const std::string_view pieces[] = {"\r\n",
                                     "\n",
                                     "\r",
                                     " ",
                                     ":",
                                     "Host: b\r\n",
                                     "Content-Length: 3\r\n",
                                     "0",
                                     "\t",
                                     "x",
                                     "Transfer-Encoding: chunked\r\n",
                                     "\r\n\r\n",
                                     "/",
                                     "HTTP/1.1"};
  int passed = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 2 == 0 ? "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n"
                                       : "PUT /abc HTTP/1.0\r\nA: b\r\nContent-Length: 2\r\n\r\n";
    for (std::uint32_t edit = rng() % 4; edit > 0; --edit) {
      const std::size_t at = rng() % (bytes.size() + 1);
      if (rng() % 2 == 0) bytes.insert(at, pieces[rng() % std::size(pieces)]);
      if (rng() % 2 == 0) bytes.erase(at, rng() % 3);
    }
    const HeaderEnd whole = FindHeaderEnd(bytes, 0, kSmall);
    HeaderEnd pieced;
    for (std::size_t size = 1; size <= bytes.size() && pieced.size == 0 && pieced.refusal == Refusal::kNone; ++size) {
      pieced = FindHeaderEnd(std::string_view(bytes).substr(0, size), size - 1, kSmall);
    }
    ASSERT_EQ(whole.refusal, pieced.refusal) << bytes;
    ASSERT_EQ(whole.size, pieced.size) << bytes;
    if (whole.size == 0 || ScanHeader(bytes.substr(0, whole.size), kSmall) != Refusal::kNone) continue;
    ++passed;
    RequestParser parser(kSmall.header_bytes_max + 1);
    const auto head = parser.PutHeader(std::string_view(bytes).substr(0, whole.size));
    ASSERT_TRUE(head.has_value()) << bytes;
    ASSERT_EQ(bytes.find(head->method), 0u);
  }
  EXPECT_GT(passed, 300);
}

}  // namespace
}  // namespace http::internal
