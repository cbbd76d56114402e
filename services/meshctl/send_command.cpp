#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "libs/base/hex.h"
#include "libs/channel/codec.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "libs/telemetry/trace.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/reply_collector.h"
#include "services/meshctl/test_webhook.h"

namespace meshctl {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(20);
// How long a reply that ends with a long part may still be followed by another: the sender claims each part in the
// ledger.
constexpr auto kNextPartWait = std::chrono::seconds(3);

struct SendOptions {
  Connections connections;
  std::string channel = "whatsapp";
  std::string text;
  std::string from;
  std::string account;
  std::string message_id;
  double wait_s = 60;
};

// Reads the user's sends from number `since` on into `collector` and moves `since` behind them.
absl::Status ReadSends(http::Client& client, const SendOptions& options, std::string* since,
                       ReplyCollector& collector) {
  std::string user;  // an id may hold any character
  for (const char c : options.from) absl::StrAppend(&user, "%", base::ToHex(std::string_view(&c, 1)));
  http::ClientRequest request;
  request.method = "GET";
  request.url = absl::StrCat(options.connections.graph_url, "/sends?since=", *since, "&user=", user);
  request.deadline = In(std::chrono::seconds(5));
  const http::ClientResult result = client.SendAndWait(std::move(request));
  if (!result.ok || result.response.Header("x-next-since").empty()) {
    return absl::UnavailableError(
        absl::StrCat(options.connections.graph_url, "/sends does not answer as the fake Graph API does",
                     result.ok ? "" : absl::StrCat(" (", result.failure.status.message(), ")"),
                     "; only there can replies be seen: --graph-url"));
  }
  *since = std::string(result.response.Header("x-next-since"));
  std::string_view lines = result.response.body;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    collector.Offer(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return absl::OkStatus();
}

void Register(config::OptionTable& table, SendOptions* options) {
  table.Add("channel", &options->channel,
            {.doc = "On which channel the user writes.", .choices = {"whatsapp", "messenger", "instagram"}});
  table.Add("text", &options->text, {.doc = "What the user writes."});
  table.Add("from", &options->from, {.doc = "The user's id; empty: a new user. Name one to continue a conversation."});
  table.Add("account", &options->account, {.doc = "Which account gets it, when the channel has several."});
  table.Add("message-id", &options->message_id,
            {.doc = "The message's id; empty: a new one. The same id again is the same message."});
  table.Add("wait-s", &options->wait_s,
            {.doc = "How long to wait for the reply; 0: do not wait.", .unit = "s", .min = 0, .max = 3600});
  RegisterConnections(table, &options->connections);
  table.AddExample("meshctl send --channel=whatsapp --text=\"What is the capital of Japan?\"", "asks as a new user");
  table.AddExample("meshctl send --channel=messenger --from=42 --text=\"And of Italy?\"", "goes on as user 42");
}

// One attempt of the webhook; Meta would repeat a 503.
absl::StatusOr<std::int64_t> PostWebhook(http::Client& client, const SendOptions& options, const std::string& body,
                                         const crypto::Secret& app_secret, const telemetry::TraceContext& trace) {
  http::ClientRequest request;
  request.url = WebhookUrl(options.connections.gateway_url, options.channel);
  request.headers = {{"Content-Type", "application/json"},
                     {"X-Hub-Signature-256", channel::SignatureFor(body, app_secret)},
                     {"traceparent", trace.ToTraceparent()}};
  request.body = body;
  request.deadline = In(std::chrono::seconds(20));
  const base::MonotonicTime start = base::Clock::Real().Now();
  const http::ClientResult result = client.SendAndWait(std::move(request));
  if (!result.ok) {
    return absl::UnavailableError(absl::StrCat(options.connections.gateway_url, " does not answer (",
                                               result.failure.status.message(),
                                               "). Is the mesh up? Start it: make run"));
  }
  if (result.response.status != 200) {
    return absl::UnavailableError(
        absl::StrCat("the gateway answered ", result.response.status, ": ", result.response.body,
                     " (503: see the gateway's /readyz; 401, 403: is --accounts the gateway's file?)"));
  }
  return base::ToMs(base::Clock::Real().Now() - start);
}

// may_be_rich: what is more than text may follow however short the text is.
absl::Status WaitForReply(http::Client& client, const SendOptions& options, bool may_be_rich,
                          ReplyCollector& collector) {
  const base::MonotonicTime deadline = In(std::chrono::milliseconds(static_cast<std::int64_t>(options.wait_s * 1000)));
  base::MonotonicTime changed = base::Clock::Real().Now();
  std::string since = "0";
  std::size_t seen = 0;
  absl::Status last;
  while (base::Clock::Real().Now() < deadline) {
    // A fake Graph API that restarts is no reason to give up before the time.
    last = ReadSends(client, options, &since, collector);
    if (!may_be_rich && collector.IsSurelyComplete()) break;
    if (const std::size_t size = collector.Text().size(); size != seen) {
      seen = size;
      changed = base::Clock::Real().Now();
    }
    if (seen > 0 && base::Clock::Real().Now() - changed >= kNextPartWait) break;
    std::this_thread::sleep_for(kPollInterval);
  }
  if (collector.any()) return absl::OkStatus();
  if (!last.ok()) return last;
  return absl::DeadlineExceededError(absl::StrCat(
      "no reply within ", options.wait_s, " s; the gateway had taken the message. Look at:\n", "  meshctl trace ",
      options.message_id, "\n  meshctl lag\n  meshctl dead-letter list\n", "  .run/logs/{gateway,worker,sender}.log"));
}

void PrintResult(const identity::TurnId& turn, const std::string& message_id, std::int64_t ack_ms,
                 std::optional<std::int64_t> reply_ms, const std::string& reply) {
  json::Writer json;
  json.BeginObject();
  json.Field("turn_id", base::ToHex(turn.value()));
  json.Field("message_id", message_id);
  json.Field("ack_ms", ack_ms);
  json.Key("reply_ms");
  if (reply_ms) {
    json.Number(*reply_ms);
  } else {
    json.Null();
  }
  json.Field("reply", reply);
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

}  // namespace

int RunSend(int argc, const char* const* argv) {
  SendOptions options;
  config::OptionTable table("meshctl send", "Posts a signed webhook as Meta would and waits for the reply.");
  Register(table, &options);
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (options.text.empty()) {
    std::fprintf(stderr, "meshctl: send needs --text; see meshctl send --help\n");
    return 2;
  }
  const absl::StatusOr<account::Account> account = FindAccount(options.connections, options.channel, options.account);
  if (!account.ok()) return Fail("send", account.status());
  if (options.from.empty()) {
    options.from = NewUserId(account->channel);
    std::fprintf(stderr, "as a new user; go on with --from=%s\n", options.from.c_str());
  }
  if (options.message_id.empty()) options.message_id = NewMessageId(account->channel);

  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant(account->tenant);
  conversation.set_channel(account->channel);
  conversation.set_account(account->account_id);
  conversation.set_user(options.from);
  const identity::TurnId turn = identity::MakeTurnId(conversation, options.message_id);
  const std::int64_t now_ms = base::Clock::Real().WallMs();
  const std::string body = TextWebhook(account->channel, {.account = account->account_id,
                                                          .user = options.from,
                                                          .message_id = options.message_id,
                                                          .text = options.text,
                                                          .now_ms = now_ms});
  telemetry::Registry metrics;
  const absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create({}, "meshctl", metrics);
  if (!client.ok()) return Fail("send", client.status());
  const telemetry::TraceContext trace = telemetry::TraceContext::NewRoot();
  if (account->app_secrets.empty()) {
    return Fail("send", absl::FailedPreconditionError(
                            absl::StrCat("account ", account->account_id, " has no app secret to sign with")));
  }
  const absl::StatusOr<std::int64_t> ack_ms = PostWebhook(**client, options, body, account->app_secrets.front(), trace);
  if (!ack_ms.ok()) return Fail("send", ack_ms.status());
  if (options.wait_s == 0) {
    PrintResult(turn, options.message_id, *ack_ms, std::nullopt, "");
    return 0;
  }
  ReplyCollector collector(conversation, turn, trace.trace_id);
  if (absl::Status status = WaitForReply(**client, options, account->rich_answers, collector); !status.ok()) {
    return Fail("send", status);
  }
  // Until the last part was accepted; 0 when it had been answered before: the same message is the same turn.
  PrintResult(turn, options.message_id, *ack_ms, std::max<std::int64_t>(0, collector.last_ts_ms() - now_ms),
              collector.Text());
  return 0;
}

}  // namespace meshctl
