#include "loadtest/fake_channel_api/send_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "libs/base/str_cat.h"

namespace fake_channel_api {
namespace {

absl::Status WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::UnavailableError(base::StrCat("sends file: ", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SendLog>> SendLog::Open(const std::string& path, bool fsync) {
  int file = -1;
  if (!path.empty()) {
    file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
      return absl::FailedPreconditionError(base::StrCat("--sends-file=", path, ": ", std::strerror(errno)));
    }
  }
  return std::unique_ptr<SendLog>(new SendLog(file, fsync));
}

SendLog::~SendLog() {
  if (file_ >= 0) ::close(file_);
}

absl::Status SendLog::Append(std::string_view user, std::string text) {
  Line line{std::string(user), std::move(text)};
  line.text += '\n';
  const std::lock_guard lock(mutex_);
  if (file_ >= 0) {
    if (absl::Status status = WriteAll(file_, line.text); !status.ok()) return status;
    if (fsync_ && ::fsync(file_) != 0)
      return absl::UnavailableError(base::StrCat("sends file: ", std::strerror(errno)));
  }
  bytes_ += line.text.size();
  lines_.push_back(std::move(line));
  while (lines_.size() > kSendsMax || bytes_ > kBytesMax) {
    bytes_ -= lines_.front().text.size();
    lines_.pop_front();
    ++first_number_;
  }
  return absl::OkStatus();
}

SendLog::Page SendLog::Read(std::uint64_t since, std::string_view user, std::size_t count_max) const {
  const std::lock_guard lock(mutex_);
  Page page;
  page.dropped = first_number_ > since ? first_number_ - since : 0;
  page.next = std::max(since, first_number_);
  std::size_t count = 0;
  for (; page.next < first_number_ + lines_.size() && count < count_max; ++page.next) {
    const Line& line = lines_[page.next - first_number_];
    if (!user.empty() && line.user != user) continue;
    page.lines += line.text;
    ++count;
  }
  return page;
}

std::uint64_t SendLog::count() const {
  const std::lock_guard lock(mutex_);
  return first_number_ + lines_.size();
}

}  // namespace fake_channel_api
