#include "services/gateway/signing_keys.h"

#include <algorithm>
#include <utility>

#include "libs/channel/codec.h"

namespace gateway {

SigningKeys::SigningKeys(std::shared_ptr<const account::AccountBook> book, mesh::bus::v1::Channel channel)
    : book_(std::move(book)) {
  for (const account::Account& account : book_->accounts()) {
    if (account.channel != channel) continue;
    for (const crypto::Secret& secret : account.app_secrets) {
      if (secret.empty()) continue;
      // Reveal: to find accounts of the same Meta app.
      const auto same = [&](const auto& known) { return known.front().Reveal() == secret.Reveal(); };
      const auto found = std::find_if(secrets_.begin(), secrets_.end(), same);
      secrets_of_account_[account.account_id].push_back(static_cast<std::size_t>(found - secrets_.begin()));
      if (found == secrets_.end()) secrets_.push_back({secret});
    }
  }
}

SigningKeys::Signers SigningKeys::FindSigners(std::string_view signature, std::string_view raw_body) const {
  Signers signers;
  for (std::size_t i = 0; i < secrets_.size(); ++i) {
    if (channel::SignatureMatches(signature, raw_body, secrets_[i])) signers.push_back(i);
  }
  return signers;
}

bool SigningKeys::MaySpeakFor(const Signers& signers, const account::Account& account) const {
  const auto own = secrets_of_account_.find(account.account_id);
  if (own == secrets_of_account_.end()) return false;
  return std::any_of(signers.begin(), signers.end(), [&](std::size_t signer) {
    return std::find(own->second.begin(), own->second.end(), signer) != own->second.end();
  });
}

}  // namespace gateway
