#include "services/exporter/account_poller.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "libs/account/login.h"
#include "libs/base/str_cat.h"
#include "libs/graph/account_facts.h"
#include "libs/graph/subscription.h"
#include "libs/graph/token_facts.h"
#include "libs/identity/identity.h"
#include "libs/telemetry/log.h"

namespace exporter {
namespace {

// Of an account that has everything to tell.
constexpr double kCallsOfAPoll = 3;

// Whose calls Meta counts together, by what the account says.
std::string NodeKey(const account::Account& account) {
  const std::string node = graph::SubscriptionNode(account);
  const bool is_own = node.empty() || node == "me";
  return base::StrCat(identity::ChannelName(account.channel), "/", is_own ? account.account_id : node);
}

double WallSeconds(const base::Clock& clock) { return static_cast<double>(clock.WallMs()) / 1000; }

double ExpiryOf(std::int64_t seconds) {
  return seconds > 0 ? static_cast<double>(seconds) : std::numeric_limits<double>::infinity();
}

}  // namespace

// One look at one account.
class AccountPoller::Poll {
 public:
  Poll(const Environment& environment, const account::Account& account, Known& known, Node& node)
      : environment_(environment), account_(account), known_(known), node_(node) {}

  void Run() {
    NoteTokenFile();
    if (AskForToken() && AskForAccount()) AskForSubscription();
    Set(AccountFigure::kUp, failure_.empty() ? 1 : 0);
    if (failure_.empty()) {
      Set(AccountFigure::kLastSuccess, WallSeconds(*environment_.clock));
    } else {
      environment_.metrics->CountFailure(failure_);
    }
  }
  bool is_unreachable() const { return failure_ == graph::ToString(graph::Trouble::kUnreachable); }

 private:
  void Set(AccountFigure figure, double value) { environment_.metrics->Set(account_, figure, value); }

  graph::Answer Ask(std::string_view path) { return graph::Ask(account_, "GET", path, Counted()); }
  graph::SendAndWait Counted() {
    return [this](http::ClientRequest request) {
      node_.budget.Take();
      return environment_.send(std::move(request));
    };
  }

  void Fail(std::string_view reason, std::string_view found, std::string_view advice) {
    if (failure_.empty()) failure_ = std::string(reason);
    telemetry::LogWarning("account_poll_failed", {{"channel", identity::ChannelName(account_.channel)},
                                                  {"tenant", account_.tenant},
                                                  {"account", account_.account_id},
                                                  {"reason", reason},
                                                  {"found", found},
                                                  {"advice", advice}});
  }

  // The one sign of a token's end where Meta tells none: Instagram Login's live 60 days from their last refresh.
  void NoteTokenFile() {
    if (!account::IsInstagramLogin(account_) || account_.access_token_written_s == 0) return;
    Set(AccountFigure::kTokenFileAge,
        std::max(0.0, WallSeconds(*environment_.clock) - static_cast<double>(account_.access_token_written_s)));
  }

  // What a refusal means for the token, and whether another question may still be answered.
  bool NoteRefusal(const graph::Refusal& refusal) {
    Fail(graph::ToString(refusal.trouble), refusal.found, refusal.advice);
    if (refusal.trouble == graph::Trouble::kToken) Set(AccountFigure::kTokenValid, 0);
    if (refusal.trouble == graph::Trouble::kLimited) node_.budget.Empty();
    return refusal.trouble == graph::Trouble::kPermission || refusal.trouble == graph::Trouble::kUnknownId;
  }

  // Only a dead token or a silent API ends the poll here: that Meta does not explain a token says nothing of it.
  bool AskForToken() {
    const std::optional<graph::Answer> asked = graph::AskForToken(account_, Counted());
    if (!asked) return true;
    const graph::Answer& answer = *asked;
    if (!answer.ok) {
      const graph::Trouble trouble = answer.refusal.trouble;
      if (trouble == graph::Trouble::kPermission || trouble == graph::Trouble::kUnknownId ||
          trouble == graph::Trouble::kOther) {
        return true;
      }
      return NoteRefusal(answer.refusal);
    }
    const std::optional<graph::TokenFacts> facts = graph::ReadTokenFacts(answer.body);
    if (!facts) return true;
    known_.app_id = facts->app_id;
    Set(AccountFigure::kTokenValid, facts->is_valid ? 1 : 0);
    Set(AccountFigure::kTokenExpiry, ExpiryOf(facts->expires_at_s));
    Set(AccountFigure::kDataAccessExpiry, ExpiryOf(facts->data_access_expires_at_s));
    if (facts->is_valid) return true;
    Fail(graph::ToString(graph::Trouble::kToken), "Meta says that the token is not valid",
         "create a new one and write it to access_token_file");
    return false;
  }

  bool AskForAccount() {
    const graph::Answer answer = graph::AskForAccount(account_, Counted(), &known_.question);
    if (!answer.ok) return NoteRefusal(answer.refusal);
    Set(AccountFigure::kTokenValid, 1);
    const graph::AccountFacts facts = graph::ReadAccountFacts(account_, answer.body);
    if (facts.quality) Set(AccountFigure::kQuality, static_cast<double>(*facts.quality));
    if (facts.state) Set(AccountFigure::kState, static_cast<double>(*facts.state));
    if (facts.messaging_limit_users) Set(AccountFigure::kMessagingLimit, *facts.messaging_limit_users);
    if (facts.id != account_.account_id) {
      Fail(kAnswerReason, base::StrCat("the Graph API answers with id '", facts.id.substr(0, 64), "'"),
           "write that id into the accounts file as account_id if the account is the right one");
    }
    return true;
  }

  void AskForSubscription() {
    const std::string node = graph::SubscriptionNode(account_);
    if (node.empty()) return;
    std::optional<graph::Subscription> subscription = ReadSubscription(node);
    if (!subscription) return;
    if (!subscription->is_whole() && MayRepair()) {
      Repair(node, *subscription);
      subscription = ReadSubscription(node);  // what Meta says afterwards counts
      environment_.metrics->CountRepair(account_, subscription && subscription->is_whole());
      if (!subscription) return;
    }
    Set(AccountFigure::kSubscribed, subscription->is_whole() ? 1 : 0);
  }

  std::optional<graph::Subscription> ReadSubscription(std::string_view node) {
    const graph::Answer answer = Ask(base::StrCat(node, "/subscribed_apps"));
    if (answer.ok) return graph::ReadSubscription(account_, graph::OurApp(account_, known_.app_id), answer.body);
    NoteRefusal(answer.refusal);
    return std::nullopt;
  }

  bool MayRepair() const {
    if (!account_.subscription_repair) return false;
    return !node_.repaired_at || environment_.clock->Now() - *node_.repaired_at >= kRepairInterval;
  }

  void Repair(std::string_view node, const graph::Subscription& found) {
    node_.repaired_at = environment_.clock->Now();
    const graph::Answer answer = graph::Subscribe(account_, node, found.fields, Counted());
    telemetry::LogWarning("account_subscription_repair",
                          {{"channel", identity::ChannelName(account_.channel)},
                           {"tenant", account_.tenant},
                           {"account", account_.account_id},
                           {"node", node},
                           {"missing", found.has_app ? found.missing_field : "app"},
                           {"outcome", answer.ok ? std::string_view("subscribed") : ToString(answer.refusal.trouble)},
                           {"found", answer.refusal.found},
                           {"advice", answer.refusal.advice}});
  }

  const Environment& environment_;
  const account::Account& account_;
  Known& known_;
  Node& node_;
  std::string failure_;  // the first reason; empty: none
};

void AccountPoller::Round(const account::AccountBook& book) {
  std::set<Key> present;
  std::set<std::string> silent;  // Graph APIs that did not answer in this round
  std::size_t beyond = 0;
  bool is_stopped = false;
  for (const account::Account& account : book.accounts()) {
    if (!identity::IsMetaChannel(account.channel)) continue;
    if (present.size() >= kAccountsMax) {
      ++beyond;
      continue;
    }
    const Key key(account.channel, account.account_id);
    present.insert(key);
    const auto [known, is_new] = known_.try_emplace(key);
    known->second.account = account;
    if (is_new) {
      environment_.metrics->Set(account, AccountFigure::kLastSuccess, WallSeconds(*environment_.clock));
    }
    if (is_stopped) continue;
    Node& node = nodes_[NodeKey(account)];
    if (silent.contains(account.graph_base_url)) {
      environment_.metrics->Set(account, AccountFigure::kUp, 0);
      environment_.metrics->CountFailure(graph::ToString(graph::Trouble::kUnreachable));
    } else if (!node.budget.Has(kCallsOfAPoll, environment_.clock->Now()) && !account.development) {
      environment_.metrics->CountFailure(kBudgetReason);  // its figures stay as they are
    } else {
      Poll poll(environment_, account, known->second, node);
      poll.Run();
      if (poll.is_unreachable()) silent.insert(account.graph_base_url);
      is_stopped = !environment_.pause();
    }
  }
  environment_.metrics->not_polled.Set(static_cast<double>(beyond));
  ForgetAllBut(present);
}

void AccountPoller::ForgetAllBut(const std::set<Key>& present) {
  std::set<std::string> nodes;
  for (auto known = known_.begin(); known != known_.end();) {
    if (present.contains(known->first)) {
      nodes.insert(NodeKey(known->second.account));
      ++known;
    } else {
      environment_.metrics->Forget(known->second.account);
      known = known_.erase(known);
    }
  }
  std::erase_if(nodes_, [&](const auto& node) { return !nodes.contains(node.first); });
}

}  // namespace exporter
