#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libs/account/account.h"
#include "libs/base/clock.h"
#include "libs/channel/codec.h"
#include "libs/http/client.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/metrics.h"

namespace worker {

struct PresenceOptions {
  base::Duration renew_every = std::chrono::seconds(15);  // before the platforms take "typing" away
  base::Duration call_timeout = std::chrono::seconds(3);
  std::size_t calls_max = 64;                      // in flight
  base::Duration pause = std::chrono::minutes(5);  // of an account whose calls are refused as a whole
};

// Tells users that their message was read and that an answer is being written, as their account's `presence` asks for.
// Here and not in the sender, because only the worker knows how long a turn lives.
//
// Best effort by design: a turn never waits for it and never learns how it went. A call that fails is counted and not
// made again; what does not fit into the bounds below is left out. A turn that another worker runs again is shown
// again, which its user cannot tell from a renewal.
//
// Bounds:    `calls_max` calls in flight, each with a deadline; of an account's sends_per_second_max a quarter at most,
//            over all workers together, so that the answers keep their room; an entry a turn that is shown, and one
//            timer for all; a count an account that was ever shown. An account whose token, permission or rate is
//            refused is left alone for `pause`.
// Metrics:   worker_presence_total{channel,outcome}; outcomes: metrics.h.
// Threading: confined to the loop thread; only may_send and the end of a call run on the HTTP client's.
// Lifetime:  of the callbacks none keeps it alive, nor does a Shown; `http` outlives it.
class Presence : public std::enable_shared_from_this<Presence> {
 public:
  struct Parts {
    http::Client* http = nullptr;
    const base::Clock* clock = nullptr;
    const Metrics* metrics = nullptr;
    // Runs the task on the loop thread after a delay, which may be none; never within the call. From any thread.
    std::function<void(base::Duration, std::function<void()>)> run_after;
    // This worker's part of the conversations, in (0, 1]: its part of every account's calls.
    std::function<double()> share = [] { return 1.0; };
  };

  // "Typing" is renewed for as long as this lives. Empty: nothing is shown, or not any more.
  class Shown;

  Presence(const PresenceOptions& options, Parts parts) : options_(options), parts_(std::move(parts)) {}

  // The turn has begun and will be answered. At no cost where the account's `presence` is `off`.
  Shown Show(std::shared_ptr<const account::Account> account, const mesh::bus::v1::Turn& turn);

  std::size_t shown_count() const { return entries_.size(); }  // turns that are renewed

 private:
  using Over = std::shared_ptr<std::atomic<bool>>;  // nothing more is to be shown: read on the HTTP client's thread too
  struct Entry {
    std::shared_ptr<const account::Account> account;
    std::string user;
    std::string message_id;
    base::MonotonicTime due{};
    Over over = std::make_shared<std::atomic<bool>>(false);
  };
  using Entries = std::list<Entry>;  // by `due`: every renewal takes the same time
  struct Budget {
    double tokens = 0;
    base::MonotonicTime refilled_at{};
    base::MonotonicTime paused_until{};
  };

  void Call(const Entry& entry, channel::PresenceKind kind);
  void Send(const Entry& entry, channel::OutboundRequest request, bool is_renewal);
  void OnEnd(const account::Account& account, const Over& over, const http::ClientResult& result);
  // Why there is no room for a call, or an empty text: then it has its place.
  std::string_view TakeRoom(const account::Account& account);
  bool TakeToken(Budget& budget, double rate_per_s, base::MonotonicTime now) const;
  void Pause(const account::Account& account, const channel::SendAnswer& answer);
  void Arm();
  void RenewDue();
  void End(Entries::iterator entry);

  const PresenceOptions options_;
  const Parts parts_;
  Entries entries_;
  bool armed_ = false;
  std::size_t calls_ = 0;
  std::map<std::pair<int, std::string>, Budget> budgets_;  // by channel and account id
};

class Presence::Shown {
 public:
  Shown() = default;
  Shown(Shown&& other) noexcept { *this = std::move(other); }
  Shown& operator=(Shown&& other) noexcept;
  ~Shown() { End(); }
  void End();

 private:
  friend class Presence;
  Shown(std::weak_ptr<Presence> presence, Entries::iterator entry) : presence_(std::move(presence)), entry_(entry) {}

  std::weak_ptr<Presence> presence_;  // unset: empty
  Entries::iterator entry_{};
};

}  // namespace worker
