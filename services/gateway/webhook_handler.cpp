#include "services/gateway/webhook_handler.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"
#include "libs/fault/fault.h"
#include "libs/identity/identity.h"
#include "libs/telemetry/log.h"
#include "libs/telemetry/trace.h"
#include "services/gateway/delivery_tally.h"

namespace gateway {
namespace {

constexpr std::string_view kSignatureHeader = "x-hub-signature-256";
constexpr std::size_t kSignatureBytes = 71;  // "sha256=" and 64 hex digits
constexpr std::size_t kChallengeBytesMax = 128;
constexpr std::string_view kForeignSignature = "foreign_signature";
constexpr std::size_t kAccountEventLinesMax = 32;  // of one webhook; more are only counted

// Meta's challenge is a number as text. It is echoed, so nothing is let through that a browser could read as markup.
bool IsChallenge(std::string_view text) {
  return !text.empty() && text.size() <= kChallengeBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

// Whether `token` is that of any of the channel's accounts. All are compared, in constant time each; an account without
// a token never matches, or an empty one would verify.
bool IsVerifyToken(const account::AccountBook& book, mesh::bus::v1::Channel channel, std::string_view token) {
  bool matches = false;
  for (const account::Account& account : book.accounts()) {
    if (account.channel != channel || account.verify_token.empty()) continue;
    // Reveal: compared with what Meta sent.
    matches |= crypto::ConstantTimeEquals(token, account.verify_token.Reveal());
  }
  return matches && !token.empty();
}

int StatusOf(WebhookOutcome outcome) {
  switch (outcome) {
    case WebhookOutcome::kPersisted:
    case WebhookOutcome::kNothingToKeep:
    case WebhookOutcome::kUnusable:
    case WebhookOutcome::kVerified:
      return 200;
    case WebhookOutcome::kVerifyMalformed:
      return 400;
    case WebhookOutcome::kUnsigned:
      return 401;
    case WebhookOutcome::kBadSignature:
    case WebhookOutcome::kVerifyRefused:
      return 403;
    default:
      return 503;
  }
}

// For an operator: what Meta did to the account, in Meta's words.
void LogAccountEvent(const channel::Event& event, const channel::AccountEvent& facts, std::string_view tenant,
                     const telemetry::TraceContext& trace) {
  telemetry::Log(telemetry::LogLevel::kWarning, "account_event", trace,
                 {{"channel", identity::ChannelName(event.channel)},
                  {"tenant", tenant},
                  {"account", event.account},
                  {"type", facts.type},
                  {"word", facts.event},
                  {"quality", facts.quality},
                  {"limit", facts.limit},
                  {"state", facts.state},
                  {"subject", facts.subject},
                  {"reason", facts.reason},
                  {"code", facts.code},
                  {"told_at_ms", event.timestamp_ms}});
}

http::Response PlainText(int status, std::string body) {
  return {.status = status, .headers = {{"X-Content-Type-Options", "nosniff"}}, .body = std::move(body)};
}

}  // namespace

WebhookHandler::WebhookHandler(Environment environment) : environment_(std::move(environment)) {}

void WebhookHandler::Answer(WebhookOutcome outcome, const http::Responder& respond) const {
  environment_.metrics->CountWebhook(outcome);
  http::Response response = PlainText(StatusOf(outcome), base::StrCat(ToString(outcome), "\n"));
  if (response.status == 503) response.headers.emplace_back("Retry-After", "5");
  respond(std::move(response));
}

void WebhookHandler::Verify(const http::Request& request, const http::Responder& respond) const {
  const auto mode = request.Query("hub.mode");
  const auto token = request.Query("hub.verify_token");
  const auto challenge = request.Query("hub.challenge");
  if (mode != "subscribe" || !token || !challenge || !IsChallenge(*challenge)) {
    return Answer(WebhookOutcome::kVerifyMalformed, respond);
  }
  if (!IsVerifyToken(*environment_.current_book(), environment_.codec->channel(), *token)) {
    telemetry::LogWarning("webhook_verify_refused",
                          {{"channel", identity::ChannelName(environment_.codec->channel())}});
    return Answer(WebhookOutcome::kVerifyRefused, respond);
  }
  environment_.metrics->CountWebhook(WebhookOutcome::kVerified);
  respond(PlainText(200, *challenge));
}

void WebhookHandler::Deliver(const http::Request& request, http::Responder respond) {
  const base::MonotonicTime started = environment_.clock->Now();
  const std::string_view signature = request.Header(kSignatureHeader);
  if (request.HeaderCount(kSignatureHeader) != 1 || signature.size() != kSignatureBytes) {
    return Answer(WebhookOutcome::kUnsigned, respond);
  }
  const std::shared_ptr<const SigningKeys> keys = CurrentKeys();
  const SigningKeys::Signers signers = keys->FindSigners(signature, request.body);
  if (signers.empty()) return Answer(WebhookOutcome::kBadSignature, respond);
  if (const absl::Status status = environment_.may_produce(); !status.ok()) {
    return Answer(WebhookOutcome::kNotReady, respond);
  }

  const auto parent = telemetry::TraceContext::Parse(request.Header("traceparent"));
  const Acceptance acceptance{.trace = parent ? parent->NewChild() : telemetry::TraceContext::NewRoot(),
                              .wall_ms = environment_.clock->WallMs()};
  const absl::StatusOr<std::vector<channel::Event>> events = environment_.codec->Decode(request.body);
  if (!events.ok()) {
    const std::string reason(events.status().message());
    environment_.metrics->CountIgnored(reason);
    telemetry::Log(telemetry::LogLevel::kWarning, "webhook_unusable", acceptance.trace,
                   {{"channel", identity::ChannelName(environment_.codec->channel())},
                    {"reason", reason},
                    {"bytes", request.body.size()}});
    return Answer(WebhookOutcome::kUnusable, respond);
  }
  Produce(RecordsOf(*events, *keys, signers, acceptance), acceptance, started, std::move(respond));
}

std::shared_ptr<const SigningKeys> WebhookHandler::CurrentKeys() {
  std::shared_ptr<const account::AccountBook> book = environment_.current_book();
  std::lock_guard lock(keys_mutex_);
  if (book != keys_book_) {
    keys_ = std::make_shared<const SigningKeys>(book, environment_.codec->channel());
    keys_book_ = std::move(book);
  }
  return keys_;
}

WebhookHandler::Addressee WebhookHandler::FindAddressee(const channel::Event& event, bool is_account_event,
                                                        const SigningKeys& keys,
                                                        const SigningKeys::Signers& signers) const {
  const mesh::bus::v1::Channel channel = environment_.codec->channel();
  if (const account::Account* account = keys.book().Find(channel, event.account)) {
    if (keys.MaySpeakFor(signers, *account)) return {.account = account};
    return {.refusal = kForeignSignature};
  }
  if (!is_account_event || channel != mesh::bus::v1::CHANNEL_WHATSAPP) return {.refusal = "unknown_account"};
  // What concerns a number may be told under its WABA.
  const std::vector<const account::Account*> numbers = keys.book().FindByWaba(event.account);
  for (const account::Account* number : numbers) {
    if (keys.MaySpeakFor(signers, *number)) return {.account = number};
  }
  return {.refusal = numbers.empty() ? "unknown_account" : kForeignSignature};
}

std::vector<bus::OutgoingRecord> WebhookHandler::RecordsOf(const std::vector<channel::Event>& events,
                                                           const SigningKeys& keys, const SigningKeys::Signers& signers,
                                                           const Acceptance& acceptance) const {
  const ChannelMetrics& metrics = *environment_.metrics;
  std::vector<bus::OutgoingRecord> records;
  records.reserve(events.size());
  std::size_t foreign = 0, lines = 0;
  for (const channel::Event& event : events) {
    metrics.CountEvent(event.kind);
    if (event.kind == channel::EventKind::kError) {
      metrics.CountIgnored(event.error);
      continue;
    }
    const std::optional<channel::AccountEvent> facts = channel::ReadAccountEvent(event);
    const Addressee addressee = FindAddressee(event, facts.has_value(), keys, signers);
    if (addressee.account == nullptr) {
      metrics.CountIgnored(addressee.refusal);
      foreign += addressee.refusal == kForeignSignature;
      continue;
    }
    if (facts) {
      metrics.CountAccountEvent(event.account, facts->type);
      const bool is_known = facts->type != channel::AccountEventTypes().back();
      if (is_known && ++lines <= kAccountEventLinesMax) {
        LogAccountEvent(event, *facts, addressee.account->tenant, acceptance.trace);
      }
      if (event.user.empty()) continue;  // it has no conversation to be kept in
    }
    auto record = ToRecord(event, *addressee.account, environment_.topics, acceptance);
    if (const Ignored* const ignored = std::get_if<Ignored>(&record)) {
      metrics.CountIgnored(ignored->reason);
    } else {
      records.push_back(std::get<bus::OutgoingRecord>(std::move(record)));
    }
  }
  if (foreign > 0) {
    telemetry::Log(telemetry::LogLevel::kWarning, "webhook_foreign_signature", acceptance.trace,
                   {{"channel", identity::ChannelName(environment_.codec->channel())}, {"items", foreign}});
  }
  return records;
}

void WebhookHandler::Produce(std::vector<bus::OutgoingRecord> records, const Acceptance& acceptance,
                             base::MonotonicTime started, http::Responder respond) {
  if (records.empty()) return Answer(WebhookOutcome::kNothingToKeep, respond);
  const std::size_t count = records.size();
  auto tally = std::make_shared<DeliveryTally>(count, [this, started, count, trace = acceptance.trace,
                                                       respond = std::move(respond)](const absl::Status& status) {
    environment_.metrics->ObserveAck(base::ToSeconds(environment_.clock->Now() - started));
    environment_.log_watch->NoteWebhook(status);
    if (!status.ok()) {
      telemetry::Log(telemetry::LogLevel::kWarning, "webhook_not_persisted", trace,
                     {{"channel", identity::ChannelName(environment_.codec->channel())},
                      {"records", count},
                      {"error", status.message()}});
    }
    if (status.ok()) fault::Here("gateway_persisted");
    Answer(status.ok() ? WebhookOutcome::kPersisted : WebhookOutcome::kNotPersisted, respond);
  });
  for (bus::OutgoingRecord& record : records) {
    environment_.producer->Produce(std::move(record), [tally](const absl::StatusOr<bus::RecordPosition>& position) {
      tally->Report(position.status());
    });
  }
}

}  // namespace gateway
