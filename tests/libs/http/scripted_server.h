#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace http::test {

// One accepted connection of a ScriptedServer.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { Close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // One whole request, header and body by Content-Length; what there is when the client closes or 10 s pass.
  std::string ReadRequest() {
    while (true) {
      const std::size_t end = received_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t field = received_.find("Content-Length: ");
        const std::size_t body = field < end ? std::stoul(received_.substr(field + 16)) : 0;
        if (received_.size() >= end + 4 + body) {
          std::string request = received_.substr(0, end + 4 + body);
          received_.erase(0, request.size());
          return request;
        }
      }
      if (!ReadSome()) return std::exchange(received_, {});
    }
  }
  bool ReadSome() {
    pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
    char bytes[65536];
    if (::poll(&poll_fd, 1, 10'000) <= 0) return false;
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void WaitUntilClosed() {
    while (ReadSome()) {
    }
  }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
  std::string received_;
};

// A server that does exactly what its script says with each connection, each on a thread of its own. Scripts end by
// themselves; the destructor waits for them.
class ScriptedServer {
 public:
  using Script = std::function<void(int connection_index, Peer& peer)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size);
    ::listen(listener_, 64);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (std::thread& thread : threads_) thread.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string Url(std::string_view path) const {
    return std::string("http://127.0.0.1:").append(std::to_string(port_)).append(path);
  }
  int connections() const { return connections_; }

 private:
  void Accept() {
    for (int index = 0;; ++index) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      ++connections_;
      threads_.emplace_back([this, fd, index] {
        Peer peer(fd);
        script_(index, peer);
      });
    }
  }

  const Script script_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // touched by the acceptor until it is joined
};

}  // namespace http::test
