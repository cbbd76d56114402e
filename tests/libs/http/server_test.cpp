#include "libs/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fcntl.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/libs/http/raw_socket.h"
#include "tests/libs/http/server_fixture.h"

namespace http::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(ServerTest, AnswersOnOneKeptConnection) {
  StartServer();
  RawSocket client(server_->port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(Get("/hello")));
    EXPECT_THAT(client.ReadUntil("\r\n\r\nhello"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  ASSERT_TRUE(client.Send(Post("/echo", std::string(100'000, 'x'))));
  EXPECT_THAT(client.ReadUntil(std::string(100'000, 'x')), HasSubstr("Content-Length: 100000\r\n"));
  EXPECT_EQ(Metric("test_http_requests_total{code=\"200\",route=\"hello\"}"), 3);
}

TEST_F(ServerTest, RequestCarriesWhatWasSent) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("POST /held?a=b%20c HTTP/1.1\r\nHost: test\r\nX-Mixed-Case:  v  \r\nContent-Length: 3\r\n\r\na");
  client.Send(std::string("\0b", 2));
  auto [request, respond] = held_.Take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/held");
  EXPECT_EQ(request.Query("a"), "b c");
  EXPECT_EQ(request.Header("x-mixed-case"), "v");
  EXPECT_EQ(request.body, std::string("a\0b", 3));
  EXPECT_EQ(request.peer, "127.0.0.1");
  respond({.status = 202, .headers = {{"Retry-After", "5"}}, .body = "{}", .content_type = "application/json"});
  const std::string answer = client.ReadUntil("{}");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 5\r\n"));
}

TEST_F(ServerTest, HangingUpClosesInTheAnswersPlace) {
  StartServer();
  RawSocket client(server_->port());
  ASSERT_TRUE(client.Send(Get("/hello") + Post("/held", "x") + Get("/hello")));
  Response response;
  response.hang_up = true;
  held_.Take().second(response);
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\nhello"));  // the answer before it, and nothing of it or behind it
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, PipelinedAnswersLeaveInRequestOrderWhenGivenInReverse) {
  StartServer();
  RawSocket client(server_->port());
  std::string requests;
  for (int i = 0; i < 8; ++i) requests += Post("/held", std::to_string(i));
  ASSERT_TRUE(client.Send(requests));
  std::vector<std::pair<Request, Responder>> taken;
  for (int i = 0; i < 8; ++i) taken.push_back(held_.Take());
  for (int i = 7; i >= 0; --i) {
    std::thread([respond = taken[static_cast<std::size_t>(i)].second, i] {
      respond({.status = 200, .headers = {}, .body = "answer-" + std::to_string(i) + "."});
    }).join();
  }
  const std::string all = client.ReadUntil("answer-7.");
  std::size_t at = 0;
  for (int i = 0; i < 8; ++i) {
    const std::size_t found = all.find("answer-" + std::to_string(i) + ".");
    ASSERT_NE(found, std::string::npos);
    EXPECT_GE(found, at);
    at = found;
  }
}

TEST_F(ServerTest, MoreThanThePipelineTakesWaitsUnread) {
  StartServer({.pipeline_max = 2});
  RawSocket client(server_->port());
  ASSERT_TRUE(client.Send(Get("/held") + Get("/held") + Get("/held")));
  auto first = held_.Take();
  auto second = held_.Take();
  EXPECT_EQ(held_.count(), 0u);
  first.second({.body = "1."});
  auto third = held_.Take();
  second.second({.body = "2."});
  third.second({.body = "3."});
  EXPECT_THAT(client.ReadUntil("3."), HasSubstr("2."));
}

TEST_F(ServerTest, AShortPipelineServesALongQueue) {
  StartServer({.pipeline_max = 2});
  RawSocket client(server_->port());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Get(i % 2 == 0 ? "/nowhere" : "/hello");
  ASSERT_TRUE(client.Send(requests + Post("/echo", "the end")));
  const std::string all = client.ReadUntil("the end");
  std::size_t answers = 0;
  for (std::size_t at = all.find("HTTP/1.1 "); at != std::string::npos; at = all.find("HTTP/1.1 ", at + 1)) ++answers;
  EXPECT_EQ(answers, 51u);
}

TEST_F(ServerTest, ChunkedBodyArrivesWhole) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=1\r\nwiki\r\n");
  client.Send("5\r\npedia\r\n0\r\nTrailer: x\r\n\r\n" + Get("/hello"));
  EXPECT_THAT(client.ReadUntil("hello"), HasSubstr("\r\n\r\nwikipedia"));
}

TEST_F(ServerTest, ABodyIsAskedForWhenTheClientWaits) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_THAT(client.ReadUntil("\r\n\r\nbody"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ATooLargeBodyIsRefusedBeforeItIsAskedFor) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413"));
}

TEST_F(ServerTest, HeadHasTheLengthWithoutTheBody) {
  StartServer();
  RawSocket client(server_->port());
  client.Send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/hello"));
  const std::string both = client.ReadUntil("hello");
  EXPECT_THAT(both, HasSubstr("Content-Length: 5\r\n\r\nHTTP/1.1 200 OK"));
}

TEST_F(ServerTest, UnknownPathsAndMethods) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/nowhere"));
  EXPECT_THAT(client.ReadUntil("no such path\n"), StartsWith("HTTP/1.1 404"));
  client.Send("DELETE /held HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string refused = client.ReadUntil("not allowed\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(refused, HasSubstr("Allow: GET, HEAD, POST\r\n"));
  client.Send(Get("/hello"));  // the connection is still good
  EXPECT_THAT(client.ReadUntil("hello"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, Http10AndConnectionCloseEndTheConnection) {
  StartServer();
  for (const char* request : {"GET /hello HTTP/1.0\r\n\r\n", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                              "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}) {
    RawSocket client(server_->port());
    client.Send(request);
    const std::string answer = client.ReadAll();
    EXPECT_TRUE(client.closed());
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("hello"));
  }
}

TEST_F(ServerTest, AClientThatOnlyClosedItsSendingSideIsAnswered) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/held"));
  client.ShutdownSend();
  held_.Take().second({.body = "late"});
  EXPECT_THAT(client.ReadAll(), EndsWith("late"));
}

TEST_F(ServerTest, AForgottenAnswerIs500AndTheConnectionLives) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/held") + Get("/hello"));
  { auto dropped = held_.Take(); }
  const std::string both = client.ReadUntil("hello");
  EXPECT_THAT(both, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(both, HasSubstr("HTTP/1.1 200"));
}

TEST_F(ServerTest, AHandlerThatThrowsIs500) {
  auto created = Server::Create({}, "test", metrics_);
  ASSERT_TRUE(created.ok());
  (*created)->Add({"GET", "/throw", "throw", 0, [](Request, Responder) { throw std::runtime_error("bug"); }});
  ASSERT_TRUE((*created)->Start().ok());
  RawSocket client((*created)->port());
  client.Send(Get("/throw"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 500"));
}

TEST_F(ServerTest, ASecondAnswerIsIgnored) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/held"));
  auto [request, respond] = held_.Take();
  respond({.body = "first."});
  respond({.body = "second."});
  client.Send(Get("/hello"));
  const std::string all = client.ReadUntil("hello");
  EXPECT_THAT(all, HasSubstr("first."));
  EXPECT_THAT(all, Not(HasSubstr("second.")));
}

TEST_F(ServerTest, AHandlerThatTakesTooLongIs503AndItsAnswerIsDropped) {
  StartServer({.handler_timeout = milliseconds(50)});
  RawSocket client(server_->port());
  client.Send(Get("/held"));
  const auto held = held_.Take();
  EXPECT_THAT(client.ReadUntil("too long\n"), StartsWith("HTTP/1.1 503"));
  held.second({.body = "late."});
  client.Send(Get("/hello"));
  EXPECT_THAT(client.ReadUntil("hello"), Not(HasSubstr("late.")));
}

TEST_F(ServerTest, AnAnswerAfterTheServerIsGoneIsDropped) {
  StartServer();
  RawSocket client(server_->port());
  client.Send(Get("/held"));
  auto held = held_.Take();
  server_.reset();
  held.second({.body = "too late"});
  EXPECT_THAT(client.ReadUntil("too late"), Not(HasSubstr("too late"))) << "read until the connection's end";
}

TEST_F(ServerTest, ATakenPortIsSaid) {
  StartServer();
  for (const std::int32_t threads : {1, 2}) {
    telemetry::Registry metrics;
    auto second = Server::Create({.port = server_->port(), .threads = threads}, "second", metrics);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ((*second)->Start().code(), absl::StatusCode::kAlreadyExists);
  }
}

TEST_F(ServerTest, ATakenSharedPortIsSaidToo) {
  StartServer({.threads = 2});
  telemetry::Registry metrics;
  auto second = Server::Create({.port = server_->port(), .threads = 2}, "second", metrics);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second)->Start().code(), absl::StatusCode::kAlreadyExists);
}

TEST(ServerOptionsTest, BadOptionsAreNamed) {
  telemetry::Registry metrics;
  EXPECT_THAT(std::string(Server::Create({.threads = 0}, "test", metrics).status().message()), HasSubstr("threads"));
  EXPECT_THAT(std::string(Server::Create({.address = "nonsense"}, "test", metrics).status().message()),
              HasSubstr("nonsense"));
}

TEST_F(ServerTest, ManyConnectionsOverSeveralThreads) {
  StartServer({.threads = 2});
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawSocket>(server_->port()));
  for (int i = 0; i < 200; ++i)
    clients[static_cast<std::size_t>(i)]->Send(Post("/echo", "n" + std::to_string(i) + "."));
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(clients[static_cast<std::size_t>(i)]->ReadUntil("n" + std::to_string(i) + "."), HasSubstr("n")) << i;
  }
  EXPECT_EQ(Metric("test_http_connections"), 200);
  clients.clear();
  EXPECT_TRUE(WaitFor([&] { return Metric("test_http_connections") == 0; }));
  EXPECT_TRUE(server_->alive());
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitsAreClosed) {
  StartServer({.connections_max = 3, .connections_per_peer_max = 2});
  RawSocket first(server_->port());
  RawSocket second(server_->port());
  first.Send(Get("/hello"));
  second.Send(Get("/hello"));
  first.ReadUntil("hello");
  second.ReadUntil("hello");
  RawSocket third(server_->port());
  EXPECT_EQ(third.ReadAll(), "");
  EXPECT_TRUE(third.closed());
  EXPECT_EQ(Refused("connections_per_peer"), 1);
}

// Goal: out of file descriptors the server pauses accepting instead of spinning or dying, and goes on when one is free.
// Method: clients are made first, as they need descriptors of this process too; then all the rest are used up.
TEST_F(ServerTest, AcceptingPausesWhenDescriptorsRunOut) {
  StartServer();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  std::vector<int> fillers;
  for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) fillers.push_back(fd);
  ASSERT_FALSE(fillers.empty());
  close(fillers.back());  // one for this end of the connection, none for the server's
  fillers.pop_back();
  RawSocket client(server_->port());
  ASSERT_TRUE(client.connected());
  client.Send(Get("/hello"));
  EXPECT_TRUE(WaitFor([&] { return Refused("descriptors") >= 1; }));
  for (const int fd : fillers) close(fd);
  EXPECT_THAT(client.ReadUntil("hello"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(Refused("descriptors"), 50);  // it paused, it did not spin
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ServerTest, BodiesBeyondTheServersBudgetAreShed) {
  StartServer({.pipeline_body_bytes_max = 1 << 20, .body_bytes_in_flight_max = 1000});
  RawSocket first(server_->port());
  first.Send(Post("/held", std::string(900, 'a')));
  auto held = held_.Take();
  RawSocket second(server_->port());
  second.Send(Post("/echo", std::string(200, 'b')));
  EXPECT_THAT(second.ReadAll(), StartsWith("HTTP/1.1 503"));
  held.second({.body = "done."});
  EXPECT_THAT(first.ReadUntil("done."), StartsWith("HTTP/1.1 200"));
  RawSocket third(server_->port());
  third.Send(Post("/echo", std::string(200, 'c')));
  EXPECT_THAT(third.ReadUntil("ccc"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace http::test
