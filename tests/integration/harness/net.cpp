#include "tests/integration/harness/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <random>
#include <set>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace harness {
namespace {

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) { CHECK(fd_ >= 0); }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

bool CanBind(std::uint16_t port) {
  const Socket socket;
  const sockaddr_in address = Loopback(port);
  return bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

std::uint16_t FreePort() {
  static std::mutex mutex;
  static std::set<std::uint16_t> given;
  const std::lock_guard lock(mutex);
  std::random_device random;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(20'000 + random() % 12'000);
    if (!given.contains(port) && CanBind(port)) {
      given.insert(port);
      return port;
    }
  }
  CHECK_MSG(false, "no free port between 20000 and 32000");
  return 0;
}

absl::StatusOr<std::string> AskPort(std::uint16_t port, std::string_view request, std::size_t bytes_min,
                                    base::Duration timeout) {
  const Socket socket;
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  const timeval limit{.tv_sec = microseconds / 1'000'000, .tv_usec = microseconds % 1'000'000};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const sockaddr_in address = Loopback(port);
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::UnavailableError(base::StrCat("nothing listens on port ", port));
  }
  if (send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return absl::UnavailableError(base::StrCat("port ", port, " takes no request"));
  }
  std::string answer;
  std::array<char, 4096> buffer;
  while (answer.size() < bytes_min) {
    const ssize_t got = recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return absl::UnavailableError(base::StrCat("port ", port, " gives no answer"));
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

}  // namespace harness
