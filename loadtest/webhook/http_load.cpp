#include "loadtest/webhook/http_load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace loadtest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEventsMax = 256;
constexpr std::size_t kAnswerBytesMax = 64 << 10;
constexpr auto kLastAnswers = std::chrono::seconds(5);  // waited for after the time is up

// One kept-alive connection and the request that is on its way over it.
class Connection {
 public:
  Connection() = default;
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  absl::Status Open(const HttpLoadOptions& options, int poll, std::uint32_t index) {
    Close();
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    if (fd_ < 0 || inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1 ||
        connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return absl::UnavailableError(absl::StrCat("cannot connect to ", options.host, ":", options.port, ": ",
                                                 std::strerror(errno), "; is the gateway up?"));
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = index;
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd_, &event) != 0) return absl::InternalError("epoll_ctl failed");
    return absl::OkStatus();
  }

  // A request is far smaller than a socket's buffer, which is empty here, so it goes out at once. False: broken.
  bool Send(std::string_view request, Clock::time_point due) {
    due_ = due;
    answer_.clear();
    return send(fd_, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  }

  enum class Progress { kWaiting, kAnswered, kBroken };

  Progress Receive() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::kWaiting;
    if (count <= 0) return Progress::kBroken;
    answer_.append(bytes, static_cast<std::size_t>(count));
    if (answer_.size() > kAnswerBytesMax) return Progress::kBroken;
    return IsWhole() ? Progress::kAnswered : Progress::kWaiting;
  }

  int status() const {
    int status = 0;
    if (answer_.size() > 12) std::from_chars(answer_.data() + 9, answer_.data() + 12, status);
    return status;
  }
  Clock::time_point due() const { return due_; }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  bool IsWhole() const {
    const std::size_t head = answer_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    std::string lower = answer_.substr(0, head);
    absl::AsciiStrToLower(&lower);
    const std::size_t field = lower.find("content-length:");
    if (field == std::string::npos) return true;
    std::size_t begin = lower.find_first_not_of(' ', field + 15), length = 0;
    if (begin == std::string::npos) return true;
    std::from_chars(lower.data() + begin, lower.data() + lower.size(), length);
    return answer_.size() >= head + 4 + length;
  }

  int fd_ = -1;
  std::string answer_;
  Clock::time_point due_;
};

class Load {
 public:
  Load(const HttpLoadOptions& options, const std::vector<std::string>& requests)
      : options_(options), requests_(requests), connections_(static_cast<std::size_t>(options.connections)) {}
  ~Load() {
    if (poll_ >= 0) close(poll_);
  }

  absl::StatusOr<HttpLoadResult> Run() {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    if (poll_ < 0) return absl::InternalError("epoll_create1 failed");
    for (std::uint32_t i = 0; i < connections_.size(); ++i) {
      if (absl::Status status = connections_[i].Open(options_, poll_, i); !status.ok()) return status;
      idle_.push_back(i);
    }
    const Clock::time_point begun = Clock::now();
    const Clock::time_point end =
        begun + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    for (Clock::time_point now = begun; now < end; now = Clock::now()) {
      Begin(begun, now);
      Wait(options_.rate > 0 ? 1 : 100);
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    if (options_.rate > 0) result_.overdue = Due(begun, end) - begun_;
    while (idle_.size() < connections_.size() && Clock::now() < end + kLastAnswers) Wait(100);
    result_.answers[0] += static_cast<std::int64_t>(connections_.size() - idle_.size());
    return std::move(result_);
  }

 private:
  std::int64_t Due(Clock::time_point begun, Clock::time_point now) const {
    return static_cast<std::int64_t>(std::chrono::duration<double>(now - begun).count() * options_.rate);
  }

  void Begin(Clock::time_point begun, Clock::time_point now) {
    while (!idle_.empty()) {
      Clock::time_point due = now;
      if (options_.rate > 0) {
        if (begun_ >= Due(begun, now)) return;
        due = begun + std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(static_cast<double>(begun_) / options_.rate));
      }
      const std::uint32_t index = idle_.back();
      idle_.pop_back();
      const std::string& request = requests_[static_cast<std::size_t>(begun_++) % requests_.size()];
      if (!connections_[index].Send(request, due)) Broken(index);
    }
  }

  void Wait(int timeout_ms) {
    epoll_event events[kEventsMax];
    const int count = epoll_wait(poll_, events, kEventsMax, timeout_ms);
    for (int i = 0; i < count; ++i) {
      const std::uint32_t index = events[i].data.u32;
      Connection& connection = connections_[index];
      const Connection::Progress progress = connection.Receive();
      if (progress == Connection::Progress::kBroken) Broken(index);
      if (progress != Connection::Progress::kAnswered) continue;
      ++result_.answers[connection.status()];
      if (connection.status() == 200) {
        result_.milliseconds.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - connection.due()).count());
      }
      idle_.push_back(index);
    }
  }

  void Broken(std::uint32_t index) {
    ++result_.answers[0];
    // A gateway that is gone is met again at the next request; until then the connection rests.
    if (connections_[index].Open(options_, poll_, index).ok()) idle_.push_back(index);
  }

  const HttpLoadOptions& options_;
  const std::vector<std::string>& requests_;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> idle_;
  std::int64_t begun_ = 0;  // requests
  int poll_ = -1;
  HttpLoadResult result_;
};

}  // namespace

absl::StatusOr<HttpLoadResult> RunHttpLoad(const HttpLoadOptions& options, const std::vector<std::string>& requests) {
  return Load(options, requests).Run();
}

}  // namespace loadtest
