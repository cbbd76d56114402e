#include "libs/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "libs/http/url.h"
#include "tests/libs/http/scripted_server.h"
#include "tests/libs/http/server_fixture.h"

namespace http::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientTest : public ::testing::Test {
 protected:
  void MakeClient(const ClientOptions& options = {}) {
    auto created = Client::Create(options, "test", metrics_);
    ASSERT_TRUE(created.ok()) << created.status();
    client_ = *std::move(created);
  }

  static ClientRequest RequestTo(std::string url, milliseconds patience = seconds(10)) {
    return {
        .method = "POST", .url = std::move(url), .body = "hi", .deadline = std::chrono::steady_clock::now() + patience};
  }

  std::future<ClientResult> Start(ClientRequest request) {
    auto promise = std::make_shared<std::promise<ClientResult>>();
    client_->Send(std::move(request), [promise](ClientResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  static void ExpectFailure(const ClientResult& result, absl::StatusCode code, SendCertainty certainty,
                            FailureKind kind = FailureKind::kOther) {
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.failure.status.code(), code) << result.failure.status;
    EXPECT_EQ(result.failure.certainty, certainty);
    EXPECT_EQ(result.failure.kind, kind) << result.failure.status;
  }

  double Outcomes(const std::string& outcome) const {
    const std::string series = "test_http_client_requests_total{outcome=\"" + outcome + "\"} ";
    const std::string text = metrics_.ToPrometheusText();
    const std::size_t at = text.find(series);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size()));
  }

  telemetry::Registry metrics_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, SendsWhatItIsGivenAndKeepsTheConnection) {
  std::vector<std::string> requests;
  ScriptedServer server([&](int, Peer& peer) {
    for (int i = 0; i < 3; ++i) {
      requests.push_back(peer.ReadRequest());
      peer.Send(
          "HTTP/1.1 201 Created\r\nX-Trace: abc\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    }
  });
  MakeClient();
  for (int i = 0; i < 3; ++i) {
    ClientRequest request = RequestTo(server.Url("/v25.0/messages?a=b#fragment"));
    request.headers = {{"Authorization", "Bearer t"}};
    const ClientResult result = client_->SendAndWait(request);
    ASSERT_TRUE(result.ok) << result.failure.status;
    EXPECT_EQ(result.response.status, 201);
    EXPECT_EQ(result.response.Header("x-trace"), "abc");
    EXPECT_EQ(result.response.content_type, "application/json");
    EXPECT_EQ(result.response.body, "{}");
  }
  client_.reset();
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(requests[0], "POST /v25.0/messages?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                             "\r\nContent-Length: 2\r\nAuthorization: Bearer t\r\n\r\nhi");
}

TEST_F(ClientTest, EveryFramingOfAnAnswerIsRead) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "2\r\n\r\nok",
       "ok"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n", "okay!"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
  };
  MakeClient();
  for (const auto& [answer, body] : answers) {
    ScriptedServer server([&](int, Peer& peer) {
      peer.ReadRequest();
      for (const char byte : answer) peer.Send(std::string_view(&byte, 1));
    });
    const ClientResult result = client_->SendAndWait(RequestTo(server.Url("/")));
    EXPECT_TRUE(result.ok) << answer << result.failure.status;
    EXPECT_EQ(result.response.body, body);
  }
}

TEST_F(ClientTest, AHeadAnswerHasNoBody) {
  ScriptedServer server([&](int, Peer& peer) {
    EXPECT_THAT(peer.ReadRequest(), StartsWith("HEAD / HTTP/1.1\r\n"));
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    peer.ReadRequest();
    peer.Send(kOk);
  });
  MakeClient();
  ClientRequest head = RequestTo(server.Url("/"));
  head.method = "HEAD";
  head.body.clear();
  EXPECT_EQ(client_->SendAndWait(head).response.Header("content-length"), "100");
  EXPECT_TRUE(client_->SendAndWait(RequestTo(server.Url("/"))).ok);
  client_.reset();
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, ARefusedConnectionIsCertainlyNotSent) {
  std::uint16_t port = 0;
  {
    port = ScriptedServer([](int, Peer&) {}).port();
  }
  MakeClient();
  const ClientResult result = client_->SendAndWait(RequestTo("http://127.0.0.1:" + std::to_string(port) + "/"));
  ExpectFailure(result, absl::StatusCode::kUnavailable, SendCertainty::kNotSent, FailureKind::kConnect);
  EXPECT_EQ(Outcomes("not_sent"), 1);
}

TEST_F(ClientTest, ANameThatDoesNotResolveIsCertainlyNotSent) {
  MakeClient();
  ExpectFailure(client_->SendAndWait(RequestTo("http://no-such-host.invalid/")), absl::StatusCode::kUnavailable,
                SendCertainty::kNotSent, FailureKind::kResolve);
}

TEST_F(ClientTest, APeerThatClosesWithoutAnAnswerMayHaveGotIt) {
  ScriptedServer server([](int, Peer& peer) { peer.ReadRequest(); });
  MakeClient();
  ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"))), absl::StatusCode::kUnavailable,
                SendCertainty::kMaybeSent, FailureKind::kBroken);
  EXPECT_EQ(Outcomes("maybe_sent"), 1);
  EXPECT_EQ(server.connections(), 1);  // no retry of its own
}

TEST_F(ClientTest, ACutAnswerIsNoAnswer) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "HTTP/1.1 20"}) {
    ScriptedServer server([&](int, Peer& peer) {
      peer.ReadRequest();
      peer.Send(answer);
    });
    MakeClient();
    ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"))), absl::StatusCode::kUnavailable,
                  SendCertainty::kMaybeSent, FailureKind::kBroken);
  }
}

TEST_F(ClientTest, AnAnswerThatIsNoHttpIsRefused) {
  ScriptedServer server([&](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send("220 mail.example ESMTP\r\n\r\n");
    peer.WaitUntilClosed();
  });
  MakeClient();
  ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"))), absl::StatusCode::kUnavailable,
                SendCertainty::kMaybeSent);
}

TEST_F(ClientTest, AnAnswerLargerThanTheLimitIsCutOff) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"}) {
    ScriptedServer server([&](int, Peer& peer) {
      peer.ReadRequest();
      peer.Send(answer + std::string(1001, 'x'));
      peer.WaitUntilClosed();
    });
    MakeClient({.response_bytes_max = 1000});
    ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"))), absl::StatusCode::kOutOfRange,
                  SendCertainty::kMaybeSent);
  }
}

TEST_F(ClientTest, TheDeadlineEndsAWaitForTheAnswer) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.WaitUntilClosed();
  });
  MakeClient();
  ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"), milliseconds(50))), absl::StatusCode::kDeadlineExceeded,
                SendCertainty::kMaybeSent, FailureKind::kDeadline);
}

TEST_F(ClientTest, ADeadlineThatHasPassedSendsNothing) {
  ScriptedServer server([](int, Peer& peer) { EXPECT_EQ(peer.ReadRequest(), ""); });
  MakeClient();
  ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"), milliseconds(-1))), absl::StatusCode::kDeadlineExceeded,
                SendCertainty::kNotSent, FailureKind::kDeadline);
}

TEST_F(ClientTest, RequestsBeyondTheConnectionsWaitUntilTheirDeadline) {
  std::promise<void> release;
  ScriptedServer server([released = release.get_future().share()](int, Peer& peer) {
    peer.ReadRequest();
    released.wait();
    peer.Send(kOk);
    EXPECT_THAT(peer.ReadRequest(), EndsWith("third"));
    peer.Send(kOk);
  });
  MakeClient({.connections_per_host_max = 1});
  auto first = Start(RequestTo(server.Url("/")));
  auto second = Start(RequestTo(server.Url("/"), milliseconds(50)));
  ClientRequest third_request = RequestTo(server.Url("/"));
  third_request.body = "third";
  auto third = Start(third_request);
  ExpectFailure(second.get(), absl::StatusCode::kDeadlineExceeded, SendCertainty::kNotSent, FailureKind::kDeadline);
  release.set_value();
  EXPECT_TRUE(first.get().ok);
  EXPECT_TRUE(third.get().ok);
  client_.reset();
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, MoreThanTheQueueTakesIsUnavailableAtOnce) {
  std::promise<void> release;
  ScriptedServer server([released = release.get_future().share()](int, Peer& peer) {
    peer.ReadRequest();
    released.wait();
    peer.Send(kOk);
  });
  MakeClient({.requests_queued_max = 1});
  auto first = Start(RequestTo(server.Url("/")));
  ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"))), absl::StatusCode::kUnavailable,
                SendCertainty::kNotSent);
  release.set_value();
  EXPECT_TRUE(first.get().ok);
}

TEST_F(ClientTest, AWithdrawnRequestSendsNothingAndLeavesTheConnectionUsable) {
  ScriptedServer server([](int, Peer& peer) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(peer.ReadRequest(), EndsWith("sent"));
      peer.Send(kOk);
    }
  });
  MakeClient();
  ClientRequest withdrawn = RequestTo(server.Url("/"));
  withdrawn.may_send = [] { return false; };
  ExpectFailure(client_->SendAndWait(withdrawn), absl::StatusCode::kAborted, SendCertainty::kNotSent);
  ClientRequest sent = RequestTo(server.Url("/"));
  sent.body = "sent";
  sent.may_send = [] { return true; };
  EXPECT_TRUE(client_->SendAndWait(sent).ok);
  sent.may_send = nullptr;
  EXPECT_TRUE(client_->SendAndWait(sent).ok);
  client_.reset();
  EXPECT_EQ(server.connections(), 1);
  // The time until the write is that of what was asked and sent.
  EXPECT_THAT(metrics_.ToPrometheusText(), HasSubstr("test_http_client_unchecked_seconds_count 1\n"));
}

TEST_F(ClientTest, ALongQueueOfWithdrawnRequestsDrains) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  MakeClient({.connections_per_host_max = 1});
  std::vector<std::future<ClientResult>> results;
  for (int i = 0; i < 9000; ++i) {
    ClientRequest request = RequestTo(server.Url("/"));
    request.may_send = [] { return false; };
    results.push_back(Start(std::move(request)));
  }
  for (auto& result : results) EXPECT_EQ(result.get().failure.status.code(), absl::StatusCode::kAborted);
  client_.reset();
}

// Goal: a kept connection that the peer has closed meanwhile costs nothing: the request goes out on a new one.
// Method: the peer closes after each answer without saying so; the next request comes after the close has arrived here.
TEST_F(ClientTest, AStaleConnectionIsReplaced) {
  std::atomic<int> closed{0};
  ScriptedServer server([&](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send(kOk);
    peer.Close();
    ++closed;
  });
  MakeClient();
  for (int i = 1; i <= 20; ++i) {
    const ClientResult result = client_->SendAndWait(RequestTo(server.Url("/")));
    ASSERT_TRUE(result.ok) << result.failure.status;
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (closed < i && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 20);
}

TEST_F(ClientTest, AConnectionThatSpeaksOutOfTurnIsNotUsedAgain) {
  ScriptedServer server([&](int index, Peer& peer) {
    peer.ReadRequest();
    peer.Send(index == 0 ? std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged" : kOk);
    peer.WaitUntilClosed();
  });
  MakeClient();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(client_->SendAndWait(RequestTo(server.Url("/"))).response.body, "ok");
  client_.reset();
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(ClientTest, AnEarlyRefusalIsReadWhileTheBodyIsStillBeingWritten) {
  ScriptedServer server([&](int, Peer& peer) {
    peer.ReadSome();
    peer.Send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    peer.WaitUntilClosed();
  });
  MakeClient();
  ClientRequest request = RequestTo(server.Url("/"));
  request.body = std::string(64 << 20, 'x');
  EXPECT_EQ(client_->SendAndWait(request).response.status, 413);
}

TEST_F(ClientTest, TheDestructorCallsBackWhatIsOutstanding) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  MakeClient({.connections_per_host_max = 1});
  auto running = Start(RequestTo(server.Url("/")));
  auto waiting = Start(RequestTo(server.Url("/")));
  client_.reset();
  EXPECT_EQ(running.get().failure.status.code(), absl::StatusCode::kUnavailable);
  ExpectFailure(waiting.get(), absl::StatusCode::kUnavailable, SendCertainty::kNotSent);
}

TEST_F(ClientTest, RequestsThatCannotBeSentAsTheyAreAreInvalid) {
  MakeClient();
  for (const char* url : {"ftp://a/", "http://", "http://user@a/", "http://a:0/", "http://a:99999/", "http://a b/",
                          "http://a/\r\nX: y", "http://[::1/", "/relative", ""}) {
    ExpectFailure(client_->SendAndWait(RequestTo(url)), absl::StatusCode::kInvalidArgument, SendCertainty::kNotSent);
  }
  for (const auto& [name, value] :
       HeaderList{{"X", "a\r\nY: b"}, {"X y", "a"}, {"Host", "b"}, {"content-length", "3"}}) {
    ClientRequest request = RequestTo("http://127.0.0.1:1/");
    request.headers = {{name, value}};
    ExpectFailure(client_->SendAndWait(request), absl::StatusCode::kInvalidArgument, SendCertainty::kNotSent);
  }
}

// However the address is written; and the name is judged by what it resolves to.
TEST_F(ClientTest, OnlyAcceptedAddressesAreConnectedTo) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send(kOk);
  });
  std::atomic<bool> accept_loopback = false;
  MakeClient({.may_connect = [&](const IpAddress& address) {
    return accept_loopback && address.is_v4 && address.bytes[0] == 127;
  }});
  const std::string port = std::to_string(server.port());
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}) {
    ExpectFailure(client_->SendAndWait(RequestTo(std::string("http://") + host + ":" + port + "/")),
                  absl::StatusCode::kPermissionDenied, SendCertainty::kNotSent);
  }
  EXPECT_EQ(server.connections(), 0);
  accept_loopback = true;
  EXPECT_EQ(client_->SendAndWait(RequestTo("http://localhost:" + port + "/")).response.body, "ok");
}

TEST_F(ClientTest, APeerThatStopsInTheMiddleIsNotWaitedForUntilTheDeadline) {
  for (const char* part : {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes "}) {
    ScriptedServer server([part](int, Peer& peer) {
      peer.ReadRequest();
      peer.Send(part);
      peer.WaitUntilClosed();
    });
    MakeClient({.stall_timeout = milliseconds(50)});
    ExpectFailure(client_->SendAndWait(RequestTo(server.Url("/"), std::chrono::minutes(10))),
                  absl::StatusCode::kUnavailable, SendCertainty::kMaybeSent, FailureKind::kStalled);
  }
}

TEST_F(ClientTest, ARequestMayWantASmallerAnswerThanTheClient) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send("HTTP/1.1 200 OK\r\n\r\n0123456789");
    peer.WaitUntilClosed();
  });
  MakeClient();
  ClientRequest request = RequestTo(server.Url("/"));
  request.response_bytes_max = 9;
  ExpectFailure(client_->SendAndWait(request), absl::StatusCode::kOutOfRange, SendCertainty::kMaybeSent);
}

TEST(UrlTest, PartsAreSplitAndDefaulted) {
  const auto plain = ParseUrl("HTTP://Example.com?q#f");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->host, "example.com");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->target, "/?q");
  EXPECT_EQ(plain->authority, "example.com");
  const auto ipv6 = ParseUrl("https://[::1]:8443/a");
  ASSERT_TRUE(ipv6.ok());
  EXPECT_TRUE(ipv6->is_tls);
  EXPECT_EQ(ipv6->host, "::1");
  EXPECT_EQ(ipv6->port, 8443);
  EXPECT_EQ(ipv6->authority, "[::1]:8443");
  EXPECT_EQ(ipv6->Text(), "https://[::1]:8443/a");
}

TEST(ClientOptionsTest, BadOptionsAreNamed) {
  telemetry::Registry metrics;
  EXPECT_THAT(std::string(Client::Create({.threads = 0}, "test", metrics).status().message()), HasSubstr("threads"));
  EXPECT_THAT(std::string(Client::Create({.ca_file = "/nonexistent"}, "test", metrics).status().message()),
              HasSubstr("ca_file"));
}

// The client against this library's own server.
using ClientAndServerTest = ServerTest;

TEST_F(ClientAndServerTest, ManyRequestsShareFewConnections) {
  StartServer({.threads = 2});
  telemetry::Registry metrics;
  auto client = Client::Create({.threads = 2, .connections_per_host_max = 4}, "test", metrics);
  ASSERT_TRUE(client.ok());
  std::vector<std::future<std::string>> bodies;
  for (int i = 0; i < 500; ++i) {
    auto promise = std::make_shared<std::promise<std::string>>();
    bodies.push_back(promise->get_future());
    (*client)->Send(
        {.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/echo",
         .body = "body " + std::to_string(i),
         .deadline = std::chrono::steady_clock::now() + seconds(20)},
        [promise](ClientResult result) { promise->set_value(result.ok ? result.response.body : "failed"); });
  }
  for (int i = 0; i < 500; ++i) EXPECT_EQ(bodies[static_cast<std::size_t>(i)].get(), "body " + std::to_string(i));
  EXPECT_LE(Metric("test_http_connections"), 4);
  EXPECT_GE(Metric("test_http_connections"), 1);
}

}  // namespace
}  // namespace http::test
