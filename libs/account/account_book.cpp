#include "libs/account/account_book.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "libs/account/internal/account_reader.h"
#include "libs/base/check.h"

namespace account {
namespace {

using Key = std::tuple<mesh::bus::v1::Channel, std::string_view>;

Key KeyOf(const Account& account) { return {account.channel, account.account_id}; }

}  // namespace

AccountBook::AccountBook(std::vector<Account> accounts) : accounts_(std::move(accounts)), by_key_(accounts_.size()) {
  std::iota(by_key_.begin(), by_key_.end(), 0u);
  std::sort(by_key_.begin(), by_key_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return KeyOf(accounts_[a]) < KeyOf(accounts_[b]); });
  const auto repeated = std::adjacent_find(by_key_.begin(), by_key_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return KeyOf(accounts_[a]) == KeyOf(accounts_[b]);
  });
  CHECK_MSG(repeated == by_key_.end(), "two accounts with one channel and account id");
  for (std::uint32_t index = 0; index < accounts_.size(); ++index) {
    if (!accounts_[index].waba_id.empty()) by_waba_.push_back(index);
  }
  std::stable_sort(by_waba_.begin(), by_waba_.end(),
                   [this](std::uint32_t a, std::uint32_t b) { return accounts_[a].waba_id < accounts_[b].waba_id; });
}

absl::StatusOr<std::shared_ptr<const AccountBook>> AccountBook::Load(const std::string& path) {
  internal::ReadResult result = internal::ReadAccounts(path);
  if (!result.status.ok()) return result.status;
  return std::move(result.book);
}

const Account* AccountBook::Find(mesh::bus::v1::Channel channel, std::string_view account_id) const {
  const Key key(channel, account_id);
  const auto found =
      std::lower_bound(by_key_.begin(), by_key_.end(), key,
                       [this](std::uint32_t index, const Key& wanted) { return KeyOf(accounts_[index]) < wanted; });
  if (found == by_key_.end() || KeyOf(accounts_[*found]) != key) return nullptr;
  return &accounts_[*found];
}

const Account* AccountBook::FindFor(const mesh::bus::v1::ConversationId& conversation) const {
  const Account* account = Find(conversation.channel(), conversation.account());
  return account != nullptr && account->tenant == conversation.tenant() ? account : nullptr;
}

std::vector<const Account*> AccountBook::FindByWaba(std::string_view waba_id) const {
  std::vector<const Account*> numbers;
  auto at =
      std::lower_bound(by_waba_.begin(), by_waba_.end(), waba_id,
                       [this](std::uint32_t index, std::string_view id) { return accounts_[index].waba_id < id; });
  for (; at != by_waba_.end() && accounts_[*at].waba_id == waba_id; ++at) numbers.push_back(&accounts_[*at]);
  return numbers;
}

}  // namespace account
