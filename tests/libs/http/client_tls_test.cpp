// The client's TLS against OpenSSL's own server, with certificates made here by the openssl command.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "libs/http/client.h"
#include "libs/telemetry/metrics.h"
#include "tests/libs/http/raw_socket.h"
#include "tests/libs/http/scripted_server.h"

namespace http::test {
namespace {

using ::testing::HasSubstr;

// `openssl s_server`: what is written to it goes to the TLS client, what it prints came from there.
class OpensslServer {
 public:
  OpensslServer(const std::string& directory, const std::string& certificate) {
    port_ = ScriptedServer([](int, Peer&) {}).port();  // free a moment ago
    int to_server[2];
    int from_server[2];
    if (pipe2(to_server, O_CLOEXEC) != 0 || pipe2(from_server, O_CLOEXEC) != 0) std::abort();
    const std::vector<std::string> arguments = {"openssl",
                                                "s_server",
                                                "-quiet",
                                                "-accept",
                                                std::to_string(port_),
                                                "-cert",
                                                directory + "/" + certificate + ".pem",
                                                "-key",
                                                directory + "/" + certificate + ".key"};
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(to_server[0], STDIN_FILENO);
      dup2(from_server[1], STDOUT_FILENO);
      const int nowhere = open("/dev/null", O_WRONLY);
      dup2(nowhere, STDERR_FILENO);
      execvp("openssl", argv.data());
      _exit(127);
    }
    close(to_server[0]);
    close(from_server[1]);
    to_server_ = to_server[1];
    from_server_ = from_server[0];
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!RawSocket(port_).connected() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~OpensslServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(to_server_);
    close(from_server_);
  }
  OpensslServer(const OpensslServer&) = delete;
  OpensslServer& operator=(const OpensslServer&) = delete;

  std::string Url(const std::string& host) const { return "https://" + host + ":" + std::to_string(port_) + "/path"; }

  // Everything received so far, until `marker` is in it or the time is over.
  std::string ReadUntil(const std::string& marker, int patience_ms) {
    std::string all;
    pollfd poll_fd{.fd = from_server_, .events = POLLIN, .revents = 0};
    char bytes[4096];
    while (all.find(marker) == std::string::npos && poll(&poll_fd, 1, patience_ms) > 0) {
      const ssize_t got = read(from_server_, bytes, sizeof bytes);
      if (got <= 0) break;
      all.append(bytes, static_cast<std::size_t>(got));
    }
    return all;
  }
  void Write(const std::string& bytes) {
    ASSERT_EQ(write(to_server_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

 private:
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
  int to_server_ = -1;
  int from_server_ = -1;
};

class ClientTlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char path[] = "/tmp/musemesh_tls_test_XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    MakeAuthority("ca");
    MakeAuthority("other_ca");
    MakeCertificate("localhost", "subjectAltName=DNS:localhost");
    MakeCertificate("elsewhere", "subjectAltName=DNS:elsewhere.example");
    MakeCertificate("address", "subjectAltName=IP:127.0.0.1");
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory_); }

  static void Openssl(const std::string& arguments) {
    const std::string command = "cd " + directory_ + " && openssl " + arguments + " >openssl.log 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void MakeAuthority(const std::string& name) {
    Openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + name +
            " -keyout " + name + ".key -out " + name + ".pem");
  }
  static void MakeCertificate(const std::string& name, const std::string& extension) {
    std::ofstream(directory_ + "/" + name + ".ext") << extension << "\n";
    Openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " + name +
            ".key -out " + name + ".csr");
    Openssl("x509 -req -in " + name + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile " + name +
            ".ext -out " + name + ".pem");
  }

  std::unique_ptr<Client> MakeClient(const std::string& authority,
                                     base::Duration connect_timeout = std::chrono::seconds(10)) {
    auto client = Client::Create({.connect_timeout = connect_timeout, .ca_file = directory_ + "/" + authority + ".pem"},
                                 "test", metrics_);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  static ClientRequest RequestTo(std::string url) {
    return {.url = std::move(url),
            .body = "secret",
            .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10)};
  }
  void ExpectDistrust(const std::string& certificate, const std::string& authority, const std::string& host,
                      const std::string& why) {
    OpensslServer server(directory_, certificate);
    const ClientResult result = MakeClient(authority)->SendAndWait(RequestTo(server.Url(host)));
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.failure.status.code(), absl::StatusCode::kFailedPrecondition) << result.failure.status;
    EXPECT_EQ(result.failure.certainty, SendCertainty::kNotSent);
    EXPECT_EQ(result.failure.kind, FailureKind::kCertificate);
    EXPECT_THAT(std::string(result.failure.status.message()), HasSubstr(why));
    EXPECT_EQ(server.ReadUntil("secret", 50), "");
  }

  static inline std::string directory_;
  telemetry::Registry metrics_;
};

TEST_F(ClientTlsTest, AGoodCertificateIsAcceptedAndTheConnectionKept) {
  OpensslServer server(directory_, "localhost");
  const auto client = MakeClient("ca");
  for (int i = 0; i < 3; ++i) {
    auto done = std::make_shared<std::promise<ClientResult>>();
    client->Send(RequestTo(server.Url("localhost")),
                 [done](ClientResult result) { done->set_value(std::move(result)); });
    EXPECT_THAT(server.ReadUntil("secret", 10'000), HasSubstr("POST /path HTTP/1.1"));
    server.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");  // s_server serves one connection at a time
    const ClientResult result = done->get_future().get();
    ASSERT_TRUE(result.ok) << result.failure.status;
    EXPECT_EQ(result.response.body, "ok");
  }
}

TEST_F(ClientTlsTest, ACertificateForAnAddressIsAccepted) {
  OpensslServer server(directory_, "address");
  const auto client = MakeClient("ca");
  auto done = std::make_shared<std::promise<ClientResult>>();
  client->Send(RequestTo(server.Url("127.0.0.1")), [done](ClientResult result) { done->set_value(std::move(result)); });
  server.ReadUntil("secret", 10'000);
  server.Write("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(done->get_future().get().ok);
}

TEST_F(ClientTlsTest, AnUntrustedAuthorityIsRefusedBeforeAnythingIsSent) {
  ExpectDistrust("localhost", "other_ca", "localhost", "unable to get local issuer certificate");
}

TEST_F(ClientTlsTest, AnotherHostsCertificateIsRefusedBeforeAnythingIsSent) {
  ExpectDistrust("elsewhere", "ca", "localhost", "hostname mismatch");
  ExpectDistrust("localhost", "ca", "127.0.0.1", "IP address mismatch");
}

TEST_F(ClientTlsTest, ASelfSignedCertificateIsRefused) { ExpectDistrust("other_ca", "ca", "localhost", "self-signed"); }

TEST_F(ClientTlsTest, APlainServerIsNoTlsServer) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadSome();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer.WaitUntilClosed();
  });
  const ClientResult result =
      MakeClient("ca")->SendAndWait(RequestTo("https://127.0.0.1:" + std::to_string(server.port()) + "/"));
  EXPECT_EQ(result.failure.status.code(), absl::StatusCode::kUnavailable) << result.failure.status;
  EXPECT_EQ(result.failure.certainty, SendCertainty::kNotSent);
  EXPECT_EQ(result.failure.kind, FailureKind::kTls);
}

TEST_F(ClientTlsTest, AHandshakeThatNeverEndsIsCutByTheConnectTimeout) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  const ClientResult result = MakeClient("ca", std::chrono::milliseconds(50))
                                  ->SendAndWait(RequestTo("https://127.0.0.1:" + std::to_string(server.port()) + "/"));
  EXPECT_EQ(result.failure.status.code(), absl::StatusCode::kUnavailable) << result.failure.status;
  EXPECT_EQ(result.failure.certainty, SendCertainty::kNotSent);
  EXPECT_EQ(result.failure.kind, FailureKind::kStalled);
}

}  // namespace
}  // namespace http::test
