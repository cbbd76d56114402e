#include "libs/crypto/random.h"

#include <sys/random.h>
#include <sys/types.h>

#include <cerrno>

#include "libs/base/check.h"

namespace crypto {

// getrandom(2) with no flags blocks only until the kernel has been seeded once after boot, and then cannot fail but for
// a signal during a large request. Without randomness neither trace ids nor log keys can be trusted: the process ends.
std::string RandomBytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = getrandom(bytes.data() + filled, count - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK_MSG(got > 0, "the kernel gives no random bytes");
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace crypto
