#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crypto {

// A secret that cannot be printed by accident: no operator<<, no conversion to string, wiped when destroyed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  // Reads a regular file, without one trailing newline (LF or CRLF); at most 64 KiB.
  // NotFound / PermissionDenied / InvalidArgument (empty, too large, not a regular file) / Unavailable (read error).
  static absl::StatusOr<Secret> FromFile(const std::string& path);

  std::string_view Reveal() const { return value_; }  // grep for callers: each must have a reason
  bool empty() const { return value_.empty(); }

 private:
  void Wipe();

  std::string value_;
};

}  // namespace crypto
