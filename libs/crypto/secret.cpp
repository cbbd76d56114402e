#include "libs/crypto/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace crypto {
namespace {

constexpr std::size_t kSecretBytesMax = 64 * 1024;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// All bytes the string ever held, those of the small-string buffer and of spare capacity included.
void WipeString(std::string& text) {
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

absl::Status OpenError(const std::string& path, int error) {
  const std::string what = absl::StrCat("secret file ", path);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(what, " does not exist"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(what, " may not be read by this user"));
    default:
      return absl::UnavailableError(absl::StrCat(what, " cannot be opened: errno ", error));
  }
}

}  // namespace

Secret::Secret(std::string value) : value_(value) { WipeString(value); }

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe();
    value_ = other.value_;
  }
  return *this;
}

// Moving a short std::string copies its bytes, so the source is wiped as well.
Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.Wipe(); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    value_ = std::move(other.value_);
    other.Wipe();
  }
  return *this;
}

Secret::~Secret() { Wipe(); }

void Secret::Wipe() { WipeString(value_); }

absl::StatusOr<Secret> Secret::FromFile(const std::string& path) {
  // O_NONBLOCK: opening a FIFO would otherwise wait for a writer for ever.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return OpenError(path, errno);
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return OpenError(path, errno);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("secret file ", path, " is not a file"));

  // Reserved once, so that growing leaves no copies behind on the heap. One byte more shows that a file is too large.
  Secret secret;
  secret.value_.resize(kSecretBytesMax + 1);
  std::size_t size = 0;
  while (size < secret.value_.size()) {
    const ssize_t got = read(file.get(), secret.value_.data() + size, secret.value_.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::UnavailableError(absl::StrCat("secret file ", path, " cannot be read: errno ", errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kSecretBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("secret file ", path, " is larger than 64 KiB"));
  }
  std::string_view text = std::string_view(secret.value_).substr(0, size);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() + 1 == size && text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat("secret file ", path, " is empty"));
  return Secret(std::string(text));
}

}  // namespace crypto
