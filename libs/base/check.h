#pragma once

#include <string_view>

// CHECK is for bugs only: a condition that no input, peer or environment can break. It prints the expression, the place
// and the message, and aborts; the orchestrator restarts the process. Expected failures return absl::Status instead.
// It is active in every build type. Never use it on anything that came from outside the process.
#define CHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::base::CheckFailed(#condition, __FILE__, __LINE__, ""))
#define CHECK_MSG(condition, message) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::base::CheckFailed(#condition, __FILE__, __LINE__, message))

namespace base {

[[noreturn]] void CheckFailed(const char* expression, const char* file, int line, std::string_view message);

}  // namespace base
