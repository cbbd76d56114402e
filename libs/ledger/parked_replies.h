#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/ledger/turn_key.h"
#include "proto/bus/v1/bus.pb.h"

namespace ledger {

// The replies of one partition that moved to `parked` because their account cannot send, as the ledger has them: from
// LedgerParked to LedgerReturned. While one of a conversation has not come to its end, nothing later of it is said.
//
// Pure: a part of LedgerState. About 300 bytes a reply; texts stay in `parked`.
// Threading: none; confined to one thread.
class ParkedReplies {
 public:
  struct Reply {
    TurnKey key;
    mesh::bus::v1::ConversationId conversation;
    std::int64_t replies_offset = 0;
    std::int64_t parked_offset = 0;
    std::int32_t parked_hour = 0;  // as LedgerState counts them
    std::int64_t user_spoke_at_ms = 0;
    bool settled = false;  // its parts have come to their end; what follows from that may be left to do
  };
  // With the tenant, for a number or page that moved to another one is no longer the account of those that wait.
  using AccountId = std::tuple<std::string, int, std::string>;  // tenant, channel, account id

  void Add(Reply reply);  // one that is known already changes nothing
  void NoteSettled(const TurnKey& key);
  void Remove(const TurnKey& key);

  const Reply* Find(const TurnKey& key) const;
  bool HoldUp(const std::string& conversation_key) const { return waiting_.contains(conversation_key); }
  // The latest that the user of a conversation is known to have spoken by those that wait of it; 0: not known.
  std::int64_t UserSpokeAtMs(const std::string& conversation_key) const;
  bool empty() const { return replies_.empty(); }
  std::size_t size() const { return replies_.size(); }

  // Account by account, those of each in the order in which they were parked. Both live until the next change.
  void ForEachAccount(
      const std::function<void(const AccountId& account, const std::map<std::int64_t, const Reply*>& by_parked_offset)>&
          visit) const;

  void ForgetParkedBefore(std::int32_t hour);

 private:
  struct Waiting {
    std::size_t count = 0;
    std::int64_t user_spoke_at_ms = 0;  // the latest of all that waited
  };
  void NoLongerHoldsUp(const Reply& reply);

  std::map<TurnKey, Reply> replies_;
  std::map<AccountId, std::map<std::int64_t, const Reply*>> by_account_;
  absl::flat_hash_map<std::string, Waiting> waiting_;  // conversation key -> replies of it that are not settled
};

}  // namespace ledger
