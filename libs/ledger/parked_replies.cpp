#include "libs/ledger/parked_replies.h"

#include <algorithm>

#include "libs/identity/identity.h"

namespace ledger {
namespace {

ParkedReplies::AccountId AccountOf(const ParkedReplies::Reply& reply) {
  const auto& of = reply.conversation;
  return {of.tenant(), static_cast<int>(of.channel()), of.account()};
}

}  // namespace

void ParkedReplies::Add(Reply reply) {
  const TurnKey key = reply.key;
  const auto [added, is_new] = replies_.try_emplace(key, std::move(reply));
  if (!is_new) return;
  const Reply& stored = added->second;
  by_account_[AccountOf(stored)][stored.parked_offset] = &stored;
  if (stored.settled) return;
  Waiting& waiting = waiting_[identity::KeyOf(stored.conversation).value()];
  ++waiting.count;
  waiting.user_spoke_at_ms = std::max(waiting.user_spoke_at_ms, stored.user_spoke_at_ms);
}

void ParkedReplies::NoteSettled(const TurnKey& key) {
  const auto found = replies_.find(key);
  if (found == replies_.end() || found->second.settled) return;
  NoLongerHoldsUp(found->second);
  found->second.settled = true;
}

void ParkedReplies::Remove(const TurnKey& key) {
  const auto found = replies_.find(key);
  if (found == replies_.end()) return;
  if (!found->second.settled) NoLongerHoldsUp(found->second);
  const auto account = by_account_.find(AccountOf(found->second));
  account->second.erase(found->second.parked_offset);
  if (account->second.empty()) by_account_.erase(account);
  replies_.erase(found);
}

void ParkedReplies::NoLongerHoldsUp(const Reply& reply) {
  const auto waiting = waiting_.find(identity::KeyOf(reply.conversation).value());
  if (--waiting->second.count == 0) waiting_.erase(waiting);
}

std::int64_t ParkedReplies::UserSpokeAtMs(const std::string& conversation_key) const {
  const auto waiting = waiting_.find(conversation_key);
  return waiting == waiting_.end() ? 0 : waiting->second.user_spoke_at_ms;
}

const ParkedReplies::Reply* ParkedReplies::Find(const TurnKey& key) const {
  const auto found = replies_.find(key);
  return found == replies_.end() ? nullptr : &found->second;
}

void ParkedReplies::ForEachAccount(
    const std::function<void(const AccountId& account, const std::map<std::int64_t, const Reply*>& by_parked_offset)>&
        visit) const {
  for (const auto& [account, by_parked_offset] : by_account_) visit(account, by_parked_offset);
}

void ParkedReplies::ForgetParkedBefore(std::int32_t hour) {
  std::vector<TurnKey> old;
  for (const auto& [key, reply] : replies_) {
    if (reply.parked_hour < hour) old.push_back(key);
  }
  for (const TurnKey& key : old) Remove(key);
}

}  // namespace ledger
