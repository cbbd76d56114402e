#include "services/gateway/app.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "libs/account/reload_failures.h"
#include "libs/app/drain_time.h"
#include "libs/base/str_cat.h"
#include "libs/identity/identity.h"
#include "libs/telemetry/log.h"

namespace gateway {
namespace {

constexpr std::string_view kService = "gateway";
constexpr std::int64_t kWebhookBytesMax = 4 << 20;             // Meta sends up to 3 MB (channels.md 1.3)
constexpr auto kTopicCheckPatience = std::chrono::seconds(2);  // one try; a drain waits for it

// How much of a drain's time may be gone by the end of each step; of the default 25 s these are 15, 20 and 21. A
// webhook in hand takes --delivery-timeout-ms and a little at most.
constexpr double kLameDuckShare = 0.6;
constexpr double kWebhooksShare = 0.8;
constexpr double kFlushShare = 0.84;

http::ServerOptions ServerOptionsOf(const Options& options) {
  http::ServerOptions server;
  server.address = options.address;
  server.port = static_cast<std::uint16_t>(options.port);
  server.threads = options.http_threads;
  server.body_bytes_max = 0;  // only webhooks have bodies
  server.connections_max = options.connections_max;
  server.connections_per_peer_max = options.connections_per_peer_max;
  // The producer gives up first, with its reason.
  server.handler_timeout = std::chrono::milliseconds(options.delivery_timeout_ms) + std::chrono::seconds(2);
  return server;
}

http::Handler Page(std::function<http::Response()> page) {
  return [page = std::move(page)](const http::Request&, const http::Responder& respond) { respond(page()); };
}

http::Response Text(int status, std::string_view line) { return {.status = status, .body = base::StrCat(line, "\n")}; }

}  // namespace

App::~App() { Drain(base::Clock::Real().Now()); }

absl::StatusOr<std::unique_ptr<App>> App::Create(const Options& options, telemetry::Registry& registry) {
  std::unique_ptr<App> app(new App);
  if (absl::Status status = app->Init(options, registry); !status.ok()) return status;
  return app;
}

absl::Status App::Init(const Options& options, telemetry::Registry& registry) {
  auto channels = ChannelsOf(options);
  if (!channels.ok()) return channels.status();
  channels_ = *std::move(channels);
  metrics_ = std::make_unique<Metrics>(channels_, registry);

  auto accounts = account::AccountFile::Open(options.accounts);
  if (!accounts.ok()) return accounts.status();
  accounts_ = *std::move(accounts);
  account::ExportReloadFailures(accounts_, kService, registry);

  auto producer = bus::Producer::Create(
      options.bus,
      {.delivery_timeout = std::chrono::milliseconds(options.delivery_timeout_ms), .linger_ms = options.linger_ms},
      kService, registry);
  if (!producer.ok()) return producer.status();
  producer_ = *std::move(producer);

  auto server = http::Server::Create(ServerOptionsOf(options), kService, registry);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  log_watch_ = std::make_unique<LogWatch>(&base::Clock::Real());
  lame_duck_ = std::chrono::milliseconds(options.lame_duck_ms);
  topic_check_ = std::make_unique<bus::TopicCheck>(options.bus, bus::TopicCheckTimes{.patience = kTopicCheckPatience},
                                                   [](std::int32_t /*partitions*/) { return absl::OkStatus(); });
  for (const auto channel : channels_) AddChannel(channel, options);
  AddPages();
  return absl::OkStatus();
}

void App::AddChannel(mesh::bus::v1::Channel channel, const Options& options) {
  handlers_.push_back(std::make_unique<WebhookHandler>(
      WebhookHandler::Environment{.codec = channel::FindCodec(channel),
                                  .current_book = [file = accounts_.get()] { return file->current(); },
                                  .producer = producer_.get(),
                                  .topics = RecordTopics(options.bus),
                                  .may_produce = [check = topic_check_.get()] { return check->status(); },
                                  .log_watch = log_watch_.get(),
                                  .metrics = &metrics_->For(channel),
                                  .clock = &base::Clock::Real()}));
  WebhookHandler* const handler = handlers_.back().get();
  const std::string path = base::StrCat("/webhooks/", identity::ChannelName(channel));
  const std::string name(identity::ChannelName(channel));
  server_->Add({.method = "GET",
                .path = path,
                .route = name + "_verify",
                .handler = [handler](const http::Request& request, const http::Responder& respond) {
                  handler->Verify(request, respond);
                }});
  server_->Add({.method = "POST",
                .path = path,
                .route = name,
                .body_bytes_max = kWebhookBytesMax,
                .handler = [handler](const http::Request& request, http::Responder respond) {
                  handler->Deliver(request, std::move(respond));
                }});
}

void App::AddPages() {
  std::string landing = "musemesh gateway\n\n";
  for (const auto channel : channels_) {
    landing += base::StrCat("GET  /webhooks/", identity::ChannelName(channel), "   verify handshake\n",
                            "POST /webhooks/", identity::ChannelName(channel), "   signed webhook deliveries\n");
  }
  landing += "GET  /healthz   the process is alive\nGET  /readyz    it can take webhooks\n";
  server_->Add(
      {.method = "GET", .path = "/", .route = "landing", .handler = Page([landing] { return Text(200, landing); })});
  server_->Add({.method = "GET",
                .path = "/healthz",
                .route = "healthz",
                .handler = Page([this] { return alive() ? Text(200, "alive") : Text(503, "an io thread is stuck"); })});
  server_->Add({.method = "GET", .path = "/readyz", .route = "readyz", .handler = Page([this] {
                                                                         const app::Readiness readiness = ready();
                                                                         return Text(readiness.takes_work() ? 200 : 503,
                                                                                     readiness.ToText());
                                                                       })});
}

absl::Status App::Start() { return server_->Start(); }

app::Readiness App::ready() const {
  if (draining_) return app::Readiness::NotReady("draining");
  if (absl::Status status = topic_check_->status(); !status.ok()) return status;
  return log_watch_->Judge(producer_->broker_status());
}

void App::Drain(base::MonotonicTime deadline) {
  if (draining_.exchange(true)) return;
  const base::MonotonicTime now = base::Clock::Real().Now();
  const app::DrainTime time(now, deadline);
  // Whoever is connected while the port closes is reset, also by the kernel before we know of it.
  std::this_thread::sleep_until(std::min(time.Until(kLameDuckShare), now + lame_duck_));
  if (server_ != nullptr) server_->Drain(time.Until(kWebhooksShare));
  if (topic_check_ != nullptr) topic_check_->Stop();
  if (producer_ == nullptr) return;
  if (const absl::Status status = producer_->Flush(time.Until(kFlushShare)); !status.ok()) {
    telemetry::LogWarning("records_left_at_drain", {{"error", status.message()}});
  }
}

}  // namespace gateway
