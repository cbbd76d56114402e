#include "libs/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace base {

void CheckFailed(const char* expression, const char* file, int line, std::string_view message) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d %.*s\n", expression, file, line, static_cast<int>(message.size()),
               message.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace base
