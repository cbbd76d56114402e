#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "libs/account/account.h"
#include "libs/app/event_loop.h"
#include "libs/http/client.h"
#include "libs/telemetry/metrics.h"
#include "loadtest/fake_channel_api/send.h"

namespace fake_channel_api {

// Tells a gateway what became of each send, as Meta does: signed webhooks with `sent` and `delivered` statuses
// (WhatsApp), or with the echo of the message and a delivery report (Messenger) or seen event (Instagram).
//
// A webhook that is not answered with 200 is sent again with growing pauses for about four minutes, then given up.
// Threading: Tell from any thread, never blocks; the rest runs on `loop`.
// Bound:     kWaitingMax webhooks wait or are in flight; more are dropped and counted.
class Feedback {
 public:
  static constexpr std::size_t kWaitingMax = 10'000;

  Feedback(std::string gateway_url, http::Client& client, app::EventLoop& loop, telemetry::Registry& metrics);

  void Tell(const Send& send, const account::Account& account);

 private:
  struct Webhook {
    std::string path;
    std::string body;
    std::string signature;
    int attempt = 0;
  };

  void Enqueue(Webhook webhook);
  void Post(std::shared_ptr<Webhook> webhook);
  void OnAnswer(std::shared_ptr<Webhook> webhook, bool taken);

  const std::string gateway_url_;
  http::Client& client_;
  app::EventLoop& loop_;
  std::size_t waiting_ = 0;  // used on the loop's thread alone
  const telemetry::Counter sent_total_;
  const telemetry::Counter dropped_total_;
};

}  // namespace fake_channel_api
