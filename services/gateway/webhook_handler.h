#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/account/account_book.h"
#include "libs/base/clock.h"
#include "libs/bus/producer.h"
#include "libs/channel/account_event.h"
#include "libs/channel/codec.h"
#include "libs/http/server.h"
#include "services/gateway/event_records.h"
#include "services/gateway/log_watch.h"
#include "services/gateway/metrics.h"
#include "services/gateway/signing_keys.h"

namespace gateway {

// The webhooks of one channel: the verify handshake (GET) and deliveries (POST), as in channels.md 1.
//
// A delivery is answered 200 only after every delivery report of its records is OK, 503 otherwise; Meta then sends it
// again, and readers of the log drop what they have seen. Signed but unusable bodies are 200 too, and counted: Meta
// would repeat them for days and switch the page off.
//
// Threading: both calls on any number of io threads at once; neither blocks. Responders are called on the producer's
//            thread.
// Lifetime:  must outlive the producer, whose callbacks count here.
class WebhookHandler {
 public:
  using CurrentBook = std::function<std::shared_ptr<const account::AccountBook>()>;

  struct Environment {
    const channel::Codec* codec = nullptr;
    CurrentBook current_book;
    bus::Producer* producer = nullptr;
    RecordTopics topics;
    // Not OK: records must not be written yet (topics not checked); answered 503.
    std::function<absl::Status()> may_produce;
    LogWatch* log_watch = nullptr;
    const ChannelMetrics* metrics = nullptr;
    const base::Clock* clock = nullptr;
  };
  explicit WebhookHandler(Environment environment);

  void Verify(const http::Request& request, const http::Responder& respond) const;
  void Deliver(const http::Request& request, http::Responder respond);

 private:
  // The account that an event is about; nullptr, and why it counts for none.
  struct Addressee {
    const account::Account* account = nullptr;
    std::string_view refusal = {};
  };

  std::shared_ptr<const SigningKeys> CurrentKeys();
  Addressee FindAddressee(const channel::Event& event, bool is_account_event, const SigningKeys& keys,
                          const SigningKeys::Signers& signers) const;
  std::vector<bus::OutgoingRecord> RecordsOf(const std::vector<channel::Event>& events, const SigningKeys& keys,
                                             const SigningKeys::Signers& signers, const Acceptance& acceptance) const;
  void Produce(std::vector<bus::OutgoingRecord> records, const Acceptance& acceptance, base::MonotonicTime started,
               http::Responder respond);
  void Answer(WebhookOutcome outcome, const http::Responder& respond) const;

  const Environment environment_;
  std::mutex keys_mutex_;
  std::shared_ptr<const SigningKeys> keys_;                // protected by keys_mutex_
  std::shared_ptr<const account::AccountBook> keys_book_;  // what keys_ was made from; protected by keys_mutex_
};

}  // namespace gateway
