#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace http::test {

// A client that sends exactly the bytes it is told, for what no well-behaved client would send. Blocking, with
// deadlines.
class RawSocket {
 public:
  explicit RawSocket(std::uint16_t port, int receive_buffer_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawSocket() { ::close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool connected() const { return connected_; }

  // False when the peer has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void ShutdownSend() { ::shutdown(fd_, SHUT_WR); }

  // Everything until the peer closes; `closed()` tells whether it did within the time.
  std::string ReadAll(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    Read(patience, [](std::string_view) { return false; });
    return std::exchange(received_, {});
  }

  // Bytes up to and with the first `marker`; all there is when it does not come.
  std::string ReadUntil(std::string_view marker, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    Read(patience, [&](std::string_view all) { return all.find(marker) != std::string_view::npos; });
    const std::size_t found = received_.find(marker);
    const std::size_t end = found == std::string::npos ? received_.size() : found + marker.size();
    std::string head = received_.substr(0, end);
    received_.erase(0, end);
    return head;
  }

  // Whether anything arrives within the time.
  bool HasInput(std::chrono::milliseconds patience) {
    pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
    return !received_.empty() || ::poll(&poll_fd, 1, static_cast<int>(patience.count())) > 0;
  }

  bool closed() const { return closed_; }

 private:
  template <typename Enough>
  void Read(std::chrono::milliseconds patience, Enough enough) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!closed_ && !enough(received_)) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || ::poll(&poll_fd, 1, static_cast<int>(left.count())) <= 0) return;
      char bytes[16384];
      const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
      if (got <= 0) {
        closed_ = true;
      } else {
        received_.append(bytes, static_cast<std::size_t>(got));
      }
    }
  }

  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  std::string received_;
};

}  // namespace http::test
