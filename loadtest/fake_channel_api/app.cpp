#include "loadtest/fake_channel_api/app.h"

#include <charconv>
#include <optional>
#include <utility>
#include <variant>

#include "libs/base/clock.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/random.h"
#include "libs/telemetry/log.h"
#include "loadtest/fake_channel_api/accepted_answer.h"
#include "loadtest/fake_channel_api/graph_error.h"
#include "loadtest/fake_channel_api/send_rules.h"
#include "loadtest/fake_channel_api/target.h"
#include "loadtest/fake_channel_api/upload.h"

namespace fake_channel_api {
namespace {

constexpr std::int64_t kBodyBytesMax = 1 << 20;
constexpr std::size_t kPageLinesMax = 10'000;
constexpr std::size_t kLoopBacklogMax =
    1u << 20;  // delayed answers and webhooks, both bounded by connections and kWaitingMax

http::Response Text(int status, std::string body) { return {.status = status, .headers = {}, .body = std::move(body)}; }

}  // namespace

App::App(const Options& options, telemetry::Registry& metrics)
    : metrics_(metrics),
      id_prefix_(base::ToHex(crypto::RandomBytes(6))),
      faults_(options, base::Clock::Real()),
      accepted_total_(
          metrics.AddCounter("fake_channel_api_sends_accepted_total", "Sends that a user would have seen.")),
      refused_total_(metrics.AddCounter("fake_channel_api_sends_refused_total", "Sends answered with an error.")),
      actions_total_(metrics.AddCounter("fake_channel_api_actions_total", "Read receipts and typing indicators.")) {}

App::~App() = default;

absl::StatusOr<std::unique_ptr<App>> App::Start(const Options& options, telemetry::Registry& metrics) {
  std::unique_ptr<App> app(new App(options, metrics));
  absl::StatusOr<std::unique_ptr<SendLog>> sends = SendLog::Open(options.sends_file, options.sends_fsync);
  if (!sends.ok()) return sends.status();
  app->sends_ = *std::move(sends);
  absl::StatusOr<std::unique_ptr<SendLog>> actions = SendLog::Open("", /*fsync=*/false);
  if (!actions.ok()) return actions.status();
  app->actions_ = *std::move(actions);
  absl::StatusOr<std::unique_ptr<account::AccountFile>> accounts = account::AccountFile::Open(options.accounts);
  if (!accounts.ok()) return accounts.status();
  app->accounts_ = *std::move(accounts);
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create({}, "fake_channel_api", metrics);
  if (!client.ok()) return client.status();
  app->client_ = *std::move(client);
  app->loop_ = std::make_unique<app::EventLoop>(kLoopBacklogMax);
  app->feedback_ = std::make_unique<Feedback>(options.status_webhooks, *app->client_, *app->loop_, metrics);

  http::ServerOptions server_options;
  server_options.address = options.address;
  server_options.port = static_cast<std::uint16_t>(options.port);
  server_options.threads = options.threads;
  server_options.body_bytes_max = kBodyBytesMax;
  server_options.handler_timeout = std::chrono::minutes(15);  // beyond the longest delay_ms
  absl::StatusOr<std::unique_ptr<http::Server>> server =
      http::Server::Create(server_options, "fake_channel_api", metrics);
  if (!server.ok()) return server.status();
  app->server_ = *std::move(server);
  app->AddRoutes();
  if (absl::Status status = app->server_->Start(); !status.ok()) return status;
  return app;
}

void App::Drain() {
  server_->Drain(base::Clock::Real().Now() + std::chrono::seconds(2));
  client_.reset();  // its callbacks run before it is gone, and post to the loop
  loop_->Stop();
}

void App::AddRoutes() {
  server_->Add({"POST", "/v*", "messages", 0, [this](const http::Request& request, http::Responder respond) {
                  const std::string_view edge = std::string_view(request.path).substr(request.path.rfind('/') + 1);
                  if (edge == kSubscribedAppsEdge) return respond(desk_.Subscribe(request, *accounts_->current()));
                  if (edge == kMediaEdge || edge == kMessageAttachmentsEdge) return respond(OnUpload(request, edge));
                  OnSend(request, std::move(respond));
                }});
  server_->Add({"GET", "/v*", "object", 0, [this](const http::Request& request, const http::Responder& respond) {
                  respond(OnGetObject(request));
                }});
  for (const char* path : {"/lookaside/*", "/cdn/*"}) {
    server_->Add({"GET", path, "file", 0, [this](const http::Request& request, http::Responder respond) {
                    OnFile(request, std::move(respond));
                  }});
  }
  server_->Add({"GET", "/sends", "sends", 0, [this](const http::Request& request, const http::Responder& respond) {
                  respond(OnGetLines(request, *sends_));
                }});
  server_->Add({"GET", "/actions", "actions", 0, [this](const http::Request& request, const http::Responder& respond) {
                  respond(OnGetLines(request, *actions_));
                }});
  server_->Add({"POST", "/control", "control", 0,
                [this](const http::Request& request, const http::Responder& respond) { respond(OnControl(request)); }});
  server_->Add({"GET", "/control", "control", 0, [this](const http::Request&, const http::Responder& respond) {
                  respond(JsonAnswer(faults_.ToJson()));
                }});
  for (const char* method : {"GET", "POST"}) {
    server_->Add({method, "/control/accounts/*", "control", 0,
                  [this](const http::Request& request, const http::Responder& respond) {
                    respond(desk_.Control(request, *accounts_->current()));
                  }});
  }
  server_->Add({"GET", "/metrics", "metrics", 0, [this](const http::Request&, const http::Responder& respond) {
                  respond({.status = 200,
                           .headers = {},
                           .body = metrics_.ToPrometheusText(),
                           .content_type = "text/plain; version=0.0.4"});
                }});
  for (const char* path : {"/healthz", "/readyz"}) {
    server_->Add({"GET", path, "health", 0,
                  [](const http::Request&, const http::Responder& respond) { respond(Text(200, "ok\n")); }});
  }
}

void App::OnSend(const http::Request& request, http::Responder respond) {
  const std::shared_ptr<const account::AccountBook> accounts = accounts_->current();
  const std::variant<const account::Account*, GraphError> target = desk_.FindLiving(request, "messages", *accounts);
  if (const GraphError* error = std::get_if<GraphError>(&target)) {
    refused_total_.Increment();
    return respond(ToResponse(*error, mesh::bus::v1::CHANNEL_UNSPECIFIED));
  }
  const account::Account& account = *std::get<const account::Account*>(target);
  std::variant<Send, Action, GraphError> checked = CheckBody(request.body, account.channel);
  if (const GraphError* error = std::get_if<GraphError>(&checked)) {
    refused_total_.Increment();
    return respond(ToResponse(*error, account.channel));
  }
  if (Action* action = std::get_if<Action>(&checked)) return respond(OnAction(std::move(*action), account));

  Send& send = std::get<Send>(checked);
  send.account = account.account_id;
  send.traceparent = std::string(request.Header("traceparent"));
  const Faults::Fault fault = faults_.Next(account.account_id);
  AnswerLater(OnValidSend(std::move(send), account, fault), fault.delay_ms, std::move(respond));
}

// No knob acts on it: what users wait for are sends.
http::Response App::OnAction(Action action, const account::Account& account) {
  action.ts_ms = base::Clock::Real().WallMs();
  action.account = account.account_id;
  actions_total_.Increment();
  if (const absl::Status status = actions_->Append(action.user, ToJsonLine(action)); !status.ok()) {
    return Text(500, "the action could not be recorded\n");
  }
  return JsonAnswer(ActionAnswer(account.channel, action.user));
}

http::Response App::OnUpload(const http::Request& request, std::string_view edge) {
  const std::shared_ptr<const account::AccountBook> accounts = accounts_->current();
  const std::variant<const account::Account*, GraphError> target = desk_.FindLiving(request, edge, *accounts);
  if (const GraphError* error = std::get_if<GraphError>(&target)) {
    return ToResponse(*error, mesh::bus::v1::CHANNEL_UNSPECIFIED);
  }
  return AnswerUpload(request, *std::get<const account::Account*>(target), edge, next_id_.fetch_add(1));
}

void App::AnswerLater(http::Response response, std::int64_t delay_ms, http::Responder respond) {
  if (delay_ms == 0) return respond(std::move(response));
  // A copyable holder: std::function wants one, and the timer may be dropped at the end.
  auto held = std::make_shared<http::Response>(std::move(response));
  loop_->PostAfter(std::chrono::milliseconds(delay_ms),
                   [respond = std::move(respond), held] { respond(std::move(*held)); });
}

http::Response App::OnValidSend(Send send, const account::Account& account, const Faults::Fault& fault) {
  if (fault.kind == Faults::Kind::kFail || fault.kind == Faults::Kind::kRateLimit) {
    refused_total_.Increment();
    if (fault.kind == Faults::Kind::kRateLimit) return ToResponse(RateLimited(account.channel), account.channel);
    if (!fault.with_error_object) return Text(fault.http_status, "upstream failure\n");
    return ToResponse({.http_status = fault.http_status,
                       .code = fault.code,
                       .message = base::StrCat("(#", fault.code, ") Injected failure"),
                       .is_transient = fault.http_status >= 500},
                      account.channel);
  }
  send.lost = fault.kind == Faults::Kind::kAcceptThenLose;
  send.ts_ms = base::Clock::Real().WallMs();
  send.message_id = base::StrCat(account.channel == mesh::bus::v1::CHANNEL_WHATSAPP ? "wamid.FAKE" : "m_FAKE",
                                 id_prefix_, "-", next_id_.fetch_add(1));
  if (const absl::Status status = sends_->Append(send); !status.ok()) {
    telemetry::LogError("send_not_recorded", {{"reason", std::string(status.message())}});
    return Text(500, "the send could not be recorded\n");
  }
  accepted_total_.Increment();
  if (!send.lost) feedback_->Tell(send, account);
  http::Response response = JsonAnswer(AcceptedAnswer(send));
  response.hang_up = fault.kind == Faults::Kind::kAcceptThenDrop || send.lost;
  return response;
}

void App::OnFile(const http::Request& request, http::Responder respond) {
  std::int64_t delay_ms = 0;
  http::Response response = media_.File(request, *accounts_->current(), &delay_ms);
  AnswerLater(std::move(response), delay_ms, std::move(respond));
}

http::Response App::OnGetObject(const http::Request& request) {
  const std::string_view id = std::string_view(request.path).substr(request.path.rfind('/') + 1);
  return Media::IsMediaId(id) ? media_.Describe(request, *accounts_->current())
                              : desk_.Get(request, *accounts_->current());
}

http::Response App::OnGetLines(const http::Request& request, const SendLog& log) const {
  std::uint64_t since = 0;
  if (const std::optional<std::string> text = request.Query("since")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), since);
    if (error != std::errc() || end != text->data() + text->size()) {
      return Text(400, "since wants the value of an earlier answer's X-Next-Since\n");
    }
  }
  SendLog::Page page = log.Read(since, request.Query("user").value_or(""), kPageLinesMax);
  return {.status = 200,
          .headers = {{"X-Next-Since", std::to_string(page.next)}, {"X-Dropped", std::to_string(page.dropped)}},
          .body = std::move(page.lines),
          .content_type = "application/x-ndjson"};
}

http::Response App::OnControl(const http::Request& request) {
  if (const absl::Status status = faults_.Apply(request.body); !status.ok()) {
    return Text(400, base::StrCat(status.message(), "\n"));
  }
  telemetry::LogInfo("knobs_changed", {{"knobs", faults_.ToJson()}});
  return JsonAnswer(faults_.ToJson());
}

}  // namespace fake_channel_api
