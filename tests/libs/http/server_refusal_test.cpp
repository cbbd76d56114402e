// What the server refuses by itself: the acceptance vectors of raw bytes, and peers that are too slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/libs/http/raw_socket.h"
#include "tests/libs/http/server_fixture.h"

namespace http::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Vector {
  std::string name;
  std::string bytes;
  int status;
  std::string reason;
};

std::string StatusLine(int status) { return std::string("HTTP/1.1 ").append(std::to_string(status)).append(" "); }

std::string Smuggled() { return "GET /held HTTP/1.1\r\nHost: a\r\n\r\n"; }

std::vector<Vector> Vectors() {
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  const std::string get = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  std::string many_fields = get;
  for (int i = 0; i < 101; ++i) many_fields.append("X").append(std::to_string(i)).append(": y\r\n");
  return {
      {"length then coding", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       "length_and_coding"},
      {"coding then length", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400,
       "length_and_coding"},
      {"lengths that differ", post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", 400,
       "repeated_content_length"},
      {"lengths that differ, apart", post + "Content-Length: 5\r\nX: y\r\ncontent-length: 4\r\n\r\nbody", 400,
       "repeated_content_length"},
      {"equal lengths", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody", 400, "repeated_content_length"},
      {"length with a sign", post + "Content-Length: +4\r\n\r\nbody", 400, "bad_content_length"},
      {"bare line feed", "GET /hello HTTP/1.1\nHost: a\n\n", 400, "bare_line_feed"},
      {"bare line feed in a field", get + "X: y\nZ: w\r\n\r\n", 400, "bare_line_feed"},
      {"space before the colon", get + "X : y\r\n\r\n", 400, "bad_field_name"},
      {"NUL in a value", get + std::string("X: a\0b", 6) + "\r\n\r\n", 400, "bad_field_value"},
      {"header too large", get + "X: " + std::string(16 * 1024, 'y') + "\r\n\r\n", 431, "header_too_large"},
      {"body too large", post + "Content-Length: 1048577\r\n\r\n", 413, "body_too_large"},
      {"chunked body too large",
       "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", 413,
       "body_too_large"},
      {"too many fields", many_fields + "\r\n", 431, "too_many_fields"},
      {"long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long"},
      {"unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n" + Smuggled(), 501, "unknown_coding"},
      {"two codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n" + Smuggled(), 501, "unknown_coding"},
      {"missing host", "GET /hello HTTP/1.1\r\n\r\n", 400, "missing_host"},
      {"folded field", get + "X: y\r\n z\r\n\r\n", 400, "obsolete_fold"},
      {"two hosts", get + "Host: b\r\n\r\n", 400, "bad_host"},
      {"bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n", 400, "bad_body"},
      {"chunk longer than said", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nbody\r\n0\r\n\r\n", 400, "bad_body"},
      {"endless chunk extension", post + "Transfer-Encoding: chunked\r\n\r\n2;" + std::string(17000, 'x'), 400,
       "bad_body"},
      {"no HTTP", "\x16\x03\x01\x02\r\n\r\n", 400, "bad_request_line"},
      {"next version", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505, "unsupported_version"},
      {"escape that is none", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"},
      {"unknown expectation", post + "Expect: miracles\r\n\r\n", 417, "unknown_expectation"},
  };
}

TEST_F(ServerTest, EveryVectorIsRefusedWithItsReasonAndNothingBehindItIsServed) {
  StartServer();
  for (const Vector& vector : Vectors()) {
    SCOPED_TRACE(vector.name);
    const double before = Refused(vector.reason);
    RawSocket client(server_->port());
    client.Send(vector.bytes + Smuggled());
    const std::string answer = client.ReadAll();
    EXPECT_TRUE(client.closed());
    EXPECT_THAT(answer, StartsWith(StatusLine(vector.status)));
    EXPECT_THAT(answer, HasSubstr(vector.reason));
    EXPECT_THAT(answer.substr(8), Not(HasSubstr("HTTP/1.1")));  // one answer only
    EXPECT_EQ(Refused(vector.reason), before + 1);
  }
  EXPECT_EQ(held_.count(), 0u);
}

TEST_F(ServerTest, EveryVectorIsRefusedByteByByteToo) {
  StartServer();
  for (const Vector& vector : Vectors()) {
    SCOPED_TRACE(vector.name);
    RawSocket client(server_->port());
    for (const char byte : vector.bytes) {
      if (!client.Send(std::string_view(&byte, 1))) break;
    }
    const std::string answer = client.ReadAll();
    EXPECT_THAT(answer, StartsWith(StatusLine(vector.status)));
    EXPECT_THAT(answer, HasSubstr(vector.reason));
  }
}

TEST_F(ServerTest, ARefusalWaitsForTheAnswersBeforeIt) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/held") + "bad\r\n\r\n");
  auto held = held_.Take();
  EXPECT_FALSE(client.HasInput(milliseconds(50)));
  held.second({.body = "good."});
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(all, HasSubstr("HTTP/1.1 400"));
}

TEST_F(ServerTest, TheRefusalReachesASenderThatIsStillSending) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(client.Send(block)) << "the server reset the connection at block " << i;
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 413"));
}

// Slowloris: many connections, each sending a header or a body at a crawl, must all be gone after the timeout, while an
// honest client is served throughout.
TEST_F(ServerTest, SlowSendersAreCutOffAndOthersServed) {
  StartServer({.header_read_timeout = milliseconds(300),
               .body_idle_timeout = milliseconds(300),
               .body_bytes_per_second_min = 1 << 20});
  std::vector<std::unique_ptr<RawSocket>> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<RawSocket>(server_->port()));
    if (i % 3 == 0) slow.back()->Send("GET /hello HT");
    if (i % 3 == 1) slow.back()->Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx");
    // And a third says nothing at all.
  }
  RawSocket honest(server_->port());
  ASSERT_TRUE(WaitFor([&] { return Metric("test_http_connections") == 101; }));
  const auto deadline = std::chrono::steady_clock::now() + seconds(10);
  while (Metric("test_http_connections") > 1 && std::chrono::steady_clock::now() < deadline) {
    for (std::size_t i = 0; i < slow.size(); ++i) {
      if (i % 3 != 2) slow[i]->Send("x");  // a crawl is no progress
    }
    honest.Send(Get("/hello"));
    ASSERT_THAT(honest.ReadUntil("hello"), StartsWith("HTTP/1.1 200"));
    // The clients that were refused are still being drained for a moment after their 408.
    for (auto& client : slow) {
      if (client->HasInput(milliseconds(0))) client->ShutdownSend();
    }
  }
  EXPECT_EQ(Metric("test_http_connections"), 1);
  EXPECT_EQ(Refused("header_timeout"), 34 + 33);
  EXPECT_EQ(Refused("body_timeout"), 33);
  EXPECT_THAT(slow[0]->ReadAll(), StartsWith("HTTP/1.1 408"));
}

TEST_F(ServerTest, AnIdleConnectionIsClosedQuietly) {
  StartServer({.keep_alive_idle_timeout = milliseconds(100)});
  RawSocket client(server_->port());
  client.Send(Get("/hello"));
  client.ReadUntil("hello");
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, AConnectionThatWaitsForItsAnswerIsNotIdle) {
  StartServer({.header_read_timeout = milliseconds(50), .keep_alive_idle_timeout = milliseconds(50)});
  RawSocket client(server_->port());
  client.Send(Get("/held"));
  auto held = held_.Take();
  EXPECT_FALSE(client.HasInput(milliseconds(300)));
  held.second({.body = "patience."});
  EXPECT_THAT(client.ReadUntil("patience."), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, AReaderThatStallsIsCutOff) {
  StartServer({.write_stall_timeout = milliseconds(200)});
  RawSocket client(server_->port(), /*receive_buffer_bytes=*/4096);
  client.Send(Get("/held"));
  held_.Take().second({.body = std::string(32 << 20, 'x')});
  EXPECT_TRUE(WaitFor([&] { return Refused("write_stall") == 1; }));
  EXPECT_TRUE(WaitFor([&] { return Metric("test_http_connections") == 0; }));
}

TEST_F(ServerTest, DrainAnswersWhatIsInFlightAndClosesTheRest) {
  StartServer();
  RawSocket idle(server_->port());
  idle.Send(Get("/hello"));
  idle.ReadUntil("hello");
  RawSocket busy(server_->port());
  busy.Send(Get("/held"));
  auto held = held_.Take();
  RawSocket reading(server_->port());
  reading.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  RawSocket barrier(server_->port());  // once this is answered, what was sent before has been read
  barrier.Send(Get("/hello"));
  barrier.ReadUntil("hello");

  std::thread drain([&] { server_->Drain(std::chrono::steady_clock::now() + seconds(10)); });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(busy.HasInput(milliseconds(20)));
  held.second({.body = "last words"});
  reading.Send("dy");
  const std::string busy_answer = busy.ReadAll();
  EXPECT_THAT(busy_answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(busy_answer, HasSubstr("last words"));
  EXPECT_THAT(reading.ReadAll(), HasSubstr("\r\n\r\nbody"));
  drain.join();
  RawSocket late(server_->port());
  EXPECT_FALSE(late.connected());
}

TEST_F(ServerTest, DrainEndsAtItsDeadline) {
  StartServer();
  RawSocket busy(server_->port());
  busy.Send(Get("/held"));
  auto held = held_.Take();
  const auto start = std::chrono::steady_clock::now();
  server_->Drain(start + milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
  EXPECT_EQ(busy.ReadAll(), "");
  EXPECT_TRUE(busy.closed());
}

}  // namespace
}  // namespace http::test
