#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/base/hex.h"
#include "libs/channel/codec.h"
#include "libs/identity/identity.h"
#include "libs/json/value.h"
#include "libs/json/writer.h"
#include "libs/telemetry/trace.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/test_webhook.h"

namespace meshctl {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(20);
// After the first part of a reply, how long the next one may take to follow.
constexpr auto kNextPartWait = std::chrono::milliseconds(400);
constexpr std::uint32_t kPartsMax = 20;  // as channel::Codec::Split

struct SendOptions {
  Connections connections;
  std::string channel;
  std::string text;
  std::string from;
  std::string account;
  std::string message_id;
  double wait_s = 60;
};

// The parts of a reply by their number, as far as the fake Graph API has seen them.
class ReplyWatch {
 public:
  ReplyWatch(http::Client& client, const SendOptions& options, const identity::TurnId& turn, std::int64_t since_ms)
      : client_(client), options_(options), since_ms_(since_ms) {
    for (std::uint32_t part = 0; part < kPartsMax; ++part) {
      for (const auto kind : {mesh::bus::v1::REPLY_KIND_ANSWER, mesh::bus::v1::REPLY_KIND_NOTICE}) {
        part_of_[base::ToHex(identity::MakeReplyId(turn, 0, kind, part).value())] = part;
      }
    }
  }

  // Reads the user's screen; Unavailable when the fake Graph API does not answer.
  absl::Status Look() {
    http::ClientRequest request;
    request.method = "GET";
    request.url = absl::StrCat(options_.connections.graph_url, "/sends?user=", options_.from);
    request.deadline = In(std::chrono::seconds(5));
    const http::ClientResult result = client_.SendAndWait(std::move(request));
    if (!result.ok) return result.failure.status;
    if (result.response.status != 200) {
      return absl::UnavailableError(absl::StrCat("GET /sends answered ", result.response.status));
    }
    std::string_view lines = result.response.body;
    while (!lines.empty()) {
      const std::size_t end = std::min(lines.find('\n'), lines.size());
      TakeLine(lines.substr(0, end));
      lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return absl::OkStatus();
  }

  const std::map<std::uint32_t, std::string>& parts() const { return parts_; }
  std::string Joined() const {
    return absl::StrJoin(parts_, "\n", [](std::string* out, const auto& part) { out->append(part.second); });
  }

 private:
  void TakeLine(std::string_view line) {
    const absl::StatusOr<json::Document> document = json::Document::Parse(line);
    if (!document.ok()) return;
    const json::Value send = document->root();
    const std::string reply_id(send.Find("reply_id").AsString().value_or(""));
    const std::string text(send.Find("text").AsString().value_or(""));
    if (const auto known = part_of_.find(reply_id); known != part_of_.end()) {
      parts_[known->second] = text;
    } else if (reply_id.empty() && send.Find("ts_ms").AsInt64().value_or(0) >= since_ms_) {
      // A channel whose sends carry no id of ours: whatever this user got since.
      parts_[static_cast<std::uint32_t>(parts_.size())] = text;
    }
  }

  http::Client& client_;
  const SendOptions& options_;
  const std::int64_t since_ms_;
  std::map<std::string, std::uint32_t> part_of_;
  std::map<std::uint32_t, std::string> parts_;
};

void Register(config::OptionTable& table, SendOptions* options) {
  table.Add("channel", &options->channel,
            {.doc = "On which channel the user writes.", .choices = {"whatsapp", "messenger", "instagram"}});
  table.Add("text", &options->text, {.doc = "What the user writes."});
  table.Add("from", &options->from, {.doc = "The user's id; empty: a new user. Name one to continue a conversation."});
  table.Add("account", &options->account, {.doc = "Which account gets it, when the channel has several."});
  table.Add("message-id", &options->message_id, {.doc = "The message's id; empty: a new one. The same id again is the same message."});
  table.Add("wait-s", &options->wait_s, {.doc = "How long to wait for the reply; 0: do not wait.", .unit = "s", .min = 0, .max = 3600});
  RegisterConnections(table, &options->connections);
  table.AddExample("meshctl send --channel=whatsapp --text=\"What is the capital of France?\"", "asks as a new user");
  table.AddExample("meshctl send --channel=messenger --from=42 --text=\"And of Italy?\"", "goes on as user 42");
}

// One attempt of the webhook; Meta would repeat a 503.
absl::StatusOr<std::int64_t> PostWebhook(http::Client& client, const SendOptions& options, const std::string& body,
                                         const crypto::Secret& app_secret) {
  http::ClientRequest request;
  request.url = absl::StrCat(options.connections.gateway_url, "/webhooks/", options.channel);
  request.headers = {{"Content-Type", "application/json"},
                     {"X-Hub-Signature-256", channel::SignatureFor(body, app_secret)},
                     {"traceparent", telemetry::TraceContext::NewRoot().ToTraceparent()}};
  request.body = body;
  request.deadline = In(std::chrono::seconds(20));
  const base::MonotonicTime start = base::Clock::Real().Now();
  const http::ClientResult result = client.SendAndWait(std::move(request));
  if (!result.ok) {
    return absl::UnavailableError(absl::StrCat(options.connections.gateway_url, " does not answer (",
                                               result.failure.status.message(), "). Is the mesh up? Start it: make run"));
  }
  if (result.response.status != 200) {
    return absl::UnavailableError(absl::StrCat("the gateway answered ", result.response.status, ": ", result.response.body,
                                               " (503: see the gateway's /readyz; 401, 403: is --accounts the gateway's file?)"));
  }
  return base::ToMs(base::Clock::Real().Now() - start);
}

absl::Status WaitForReply(ReplyWatch& watch, double wait_s) {
  const base::MonotonicTime deadline = In(std::chrono::milliseconds(static_cast<std::int64_t>(wait_s * 1000)));
  base::MonotonicTime complete = deadline;
  std::size_t seen = 0;
  while (base::Clock::Real().Now() < std::min(deadline, complete)) {
    if (absl::Status status = watch.Look(); !status.ok()) return status;
    if (watch.parts().size() != seen) {
      seen = watch.parts().size();
      complete = In(kNextPartWait);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return seen > 0 ? absl::OkStatus()
                  : absl::DeadlineExceededError(absl::StrCat("no reply within ", wait_s,
                                                             " s. Look at: meshctl trace <message_id>, meshctl lag, "
                                                             "meshctl dead-letter list"));
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
  if (options.channel.empty() || options.text.empty()) {
    std::fprintf(stderr, "meshctl: send needs --channel and --text; see meshctl send --help\n");
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
  const base::MonotonicTime start = base::Clock::Real().Now();
  const absl::StatusOr<std::int64_t> ack_ms = PostWebhook(**client, options, body, account->app_secrets.front());
  if (!ack_ms.ok()) return Fail("send", ack_ms.status());
  if (options.wait_s == 0) {
    PrintResult(turn, options.message_id, *ack_ms, std::nullopt, "");
    return 0;
  }
  ReplyWatch watch(**client, options, turn, now_ms);
  if (absl::Status status = WaitForReply(watch, options.wait_s); !status.ok()) return Fail("send", status);
  PrintResult(turn, options.message_id, *ack_ms, base::ToMs(base::Clock::Real().Now() - start), watch.Joined());
  return 0;
}

}  // namespace meshctl
