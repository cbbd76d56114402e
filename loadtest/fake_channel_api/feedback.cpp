#include "loadtest/fake_channel_api/feedback.h"

#include <algorithm>
#include <utility>

#include "absl/strings/strip.h"
#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/identity/identity.h"
#include "libs/telemetry/log.h"
#include "loadtest/fake_channel_api/feedback_body.h"

namespace fake_channel_api {
namespace {

// About four minutes. Meta goes on for days: an outage of broker or gateway must not lose a status for good.
constexpr int kAttemptsMax = 64;
constexpr auto kFirstPause = std::chrono::milliseconds(250);  // doubles up to kPauseMax
constexpr auto kPauseMax = std::chrono::milliseconds(4000);
constexpr auto kTimeout = std::chrono::seconds(10);

}  // namespace

Feedback::Feedback(std::string gateway_url, http::Client& client, app::EventLoop& loop, telemetry::Registry& metrics)
    : gateway_url_(absl::StripSuffix(gateway_url, "/")),
      client_(client),
      loop_(loop),
      sent_total_(metrics.AddCounter("fake_channel_api_webhooks_total", "Webhooks that the gateway took.")),
      dropped_total_(
          metrics.AddCounter("fake_channel_api_webhooks_dropped_total", "Webhooks given up, or too many at once.")) {}

void Feedback::Tell(const Send& send, const account::Account& account) {
  if (gateway_url_.empty() || account.app_secrets.empty()) return;
  for (std::string& body : FeedbackBodies(send)) {
    Webhook webhook;
    webhook.path = base::StrCat("/webhooks/", std::string(identity::ChannelName(send.channel)));
    webhook.signature = channel::SignatureFor(body, account.app_secrets.front());
    webhook.body = std::move(body);
    loop_.Post([this, webhook = std::move(webhook)]() mutable { Enqueue(std::move(webhook)); });
  }
}

void Feedback::Enqueue(Webhook webhook) {
  if (waiting_ >= kWaitingMax) return dropped_total_.Increment();
  ++waiting_;
  Post(std::make_shared<Webhook>(std::move(webhook)));
}

void Feedback::Post(std::shared_ptr<Webhook> webhook) {
  http::ClientRequest request;
  request.url = gateway_url_ + webhook->path;
  request.headers = {{"content-type", "application/json"}, {"x-hub-signature-256", webhook->signature}};
  request.body = webhook->body;
  request.deadline = base::Clock::Real().Now() + kTimeout;
  client_.Send(std::move(request), [this, webhook = std::move(webhook)](const http::ClientResult& result) {
    const bool taken = result.ok && result.response.status == 200;
    loop_.Post([this, webhook, taken] { OnAnswer(webhook, taken); });
  });
}

void Feedback::OnAnswer(std::shared_ptr<Webhook> webhook, bool taken) {
  if (taken) {
    --waiting_;
    return sent_total_.Increment();
  }
  if (++webhook->attempt >= kAttemptsMax) {
    --waiting_;
    telemetry::LogWarning("status_webhook_given_up", {{"path", webhook->path}});
    return dropped_total_.Increment();
  }
  const auto pause = std::min(kPauseMax, kFirstPause * (1 << std::min(webhook->attempt, 8)));
  loop_.PostAfter(pause, [this, webhook = std::move(webhook)] { Post(webhook); });
}

}  // namespace fake_channel_api
