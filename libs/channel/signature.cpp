#include <algorithm>

#include "libs/base/hex.h"
#include "libs/channel/codec.h"
#include "libs/crypto/digest.h"

namespace channel {
namespace {

constexpr std::string_view kPrefix = "sha256=";
constexpr std::size_t kHexDigits = 64;

bool IsLowerHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string SignatureFor(std::string_view raw_body, const crypto::Secret& app_secret) {
  const crypto::Sha256Digest digest = crypto::HmacSha256(app_secret.Reveal(), raw_body);  // Reveal: the HMAC key
  return std::string(kPrefix).append(base::ToHex(crypto::AsBytes(digest)));
}

bool SignatureMatches(std::string_view header, std::string_view raw_body,
                      const std::vector<crypto::Secret>& app_secrets) {
  if (header.size() != kPrefix.size() + kHexDigits || !header.starts_with(kPrefix)) return false;
  if (!std::ranges::all_of(header.substr(kPrefix.size()), IsLowerHexDigit)) return false;
  bool matches = false;
  // Every secret is tried, so that the time does not tell which one signed. An empty secret would accept anybody.
  for (const crypto::Secret& secret : app_secrets) {
    if (secret.empty()) continue;
    matches |= crypto::ConstantTimeEquals(header, SignatureFor(raw_body, secret));
  }
  return matches;
}

}  // namespace channel
