#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account_book.h"
#include "libs/crypto/secret.h"
#include "proto/bus/v1/bus.pb.h"

namespace gateway {

// The app secrets of one channel's accounts, each once, and who may be spoken for with each. A Meta app signs the
// webhooks of all accounts that subscribed to it, so a body is accepted when any secret signed it; but an item counts
// only for an account that has that secret itself: otherwise one tenant could sign messages for another's account.
//
// Cost: a body is hashed once a distinct secret, and all are tried whichever matches.
// Threading: constant after construction. Lifetime: keeps the book alive.
class SigningKeys {
 public:
  SigningKeys(std::shared_ptr<const account::AccountBook> book, mesh::bus::v1::Channel channel);

  // Which secrets signed a body, by index; empty when none did.
  using Signers = std::vector<std::size_t>;
  Signers FindSigners(std::string_view signature, std::string_view raw_body) const;

  bool MaySpeakFor(const Signers& signers, const account::Account& account) const;

  const account::AccountBook& book() const { return *book_; }

 private:
  const std::shared_ptr<const account::AccountBook> book_;
  std::vector<std::vector<crypto::Secret>> secrets_;                    // one a list, as SignatureMatches takes lists
  std::map<std::string, std::vector<std::size_t>> secrets_of_account_;  // by account id
};

}  // namespace gateway
