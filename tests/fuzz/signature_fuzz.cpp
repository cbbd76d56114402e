// The first 71 bytes are the header, the rest the body: nothing but the true signature is accepted.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "libs/base/check.h"
#include "libs/channel/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<crypto::Secret> secrets = {crypto::Secret("first"), crypto::Secret("second")};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view header = input.substr(0, std::min<std::size_t>(size, 71));
  const std::string_view body = input.substr(header.size());
  const bool expected = std::ranges::any_of(
      secrets, [&](const crypto::Secret& secret) { return channel::SignatureFor(body, secret) == header; });
  CHECK(channel::SignatureMatches(header, body, secrets) == expected);
  for (const crypto::Secret& secret : secrets)
    CHECK(channel::SignatureMatches(channel::SignatureFor(body, secret), body, secrets));
  return 0;
}
