#include "services/sender/live_effects.h"

#include <utility>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/audit.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/records/reply_record.h"

namespace sender {
namespace {

constexpr std::string_view kService = "sender";

}  // namespace

void LiveEffects::RunAfter(base::Duration delay, std::function<void()> task) {
  parts_.loop->PostAfter(delay, std::move(task));
}

void LiveEffects::AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry,
                               const telemetry::TraceContext& trace, Appended on_done) {
  parts_.ledger->Append(partition, entry, trace.NewChild(), std::move(on_done));
}

void LiveEffects::Post(Send send, std::function<void(http::ClientResult)> on_done) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = std::move(send.request.url);
  request.body = std::move(send.request.body);
  request.headers = {{"Content-Type", "application/json"},
                     {"Authorization", std::move(send.request.authorization)},
                     {"traceparent", send.trace.NewChild().ToTraceparent()}};
  request.deadline = Now() + send.timeout;
  request.may_send = std::move(send.may_send);
  parts_.http->Send(std::move(request), [loop = parts_.loop, on_done = std::move(on_done)](http::ClientResult result) {
    loop->Post([on_done, result = std::move(result)] { on_done(result); });
  });
}

void LiveEffects::WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view detail,
                                  std::uint32_t attempts, Written on_done) {
  bus::ProduceDeadLetter(*parts_.producer, parts_.bus, origin, reason, detail, attempts, kService,
                         OnLoop(std::move(on_done)));
}

void LiveEffects::WriteParked(const bus::Record& origin, ParkReason reason, Appended on_done) {
  bus::Record copy = ParkedCopy(origin, reason);
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(parts_.bus, bus::kParked);
  record.partition = copy.partition;  // `parked` has the conversation topics' partitions
  record.key = std::move(copy.key);
  record.value = std::move(copy.value);
  record.headers = std::move(copy.headers);
  bus::SetHeader(record.headers, "ce_id", bus::RecordPlace(origin));  // that of every copy, and of no other reply
  bus::SetHeader(record.headers, "ce_source", base::StrCat("/musemesh/", kService));
  parts_.producer->Produce(std::move(record), OffsetOnLoop(parts_.loop, std::move(on_done)));
}

void LiveEffects::ReadParked(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                             std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) {
  parts_.parked->Read(partition, offsets,
                      [topic = bus::TopicName(parts_.bus, bus::kReplies),
                       on_done = std::move(on_done)](absl::StatusOr<std::vector<bus::Record>> copies) {
                        if (copies.ok()) {
                          for (bus::Record& copy : *copies) copy.topic = topic;
                        }
                        on_done(std::move(copies));
                      });
}

void LiveEffects::WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& reply,
                             const telemetry::TraceContext& trace, Written on_done) {
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(parts_.bus, bus::kReplies);
  record.key = conversation_key;
  record.value = reply.SerializeAsString();
  record.headers = bus::MakeHeaders(trace, records::kReplyType, base::ToHex(reply.reply().turn_id()) + "-notice",
                                    kService, WallMs());
  parts_.producer->Produce(std::move(record), OnLoop(std::move(on_done)));
}

void LiveEffects::WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext& trace,
                             Written on_done) {
  const bool is_drop = audit.has_policy_drop();
  const auto& conversation = is_drop ? audit.policy_drop().conversation() : audit.sent_after_all().conversation();
  const std::string& turn_id = is_drop ? audit.policy_drop().turn_id() : audit.sent_after_all().turn_id();
  bus::ProduceAudit(*parts_.producer, parts_.bus, trace, audit, conversation.tenant(),
                    base::ToHex(turn_id) + (is_drop ? "-drop" : "-sent"), kService, WallMs(),
                    OnLoop(std::move(on_done)));
}

bus::DeliveryCallback LiveEffects::OnLoop(Written on_done) const {
  return [loop = parts_.loop, on_done = std::move(on_done)](absl::StatusOr<bus::RecordPosition> position) {
    loop->Post([on_done, status = position.status()] { on_done(status); });
  };
}

void LiveEffects::ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report,
                                const telemetry::TraceContext& trace, std::function<void()> on_answered) {
  parts_.reporter->Report(report, trace, std::move(on_answered));
}

std::shared_ptr<const account::Account> LiveEffects::FindAccount(
    const mesh::bus::v1::ConversationId& conversation) const {
  std::shared_ptr<const account::AccountBook> book = parts_.accounts->current();
  const account::Account* account = book->FindFor(conversation);
  // Shares the book's life: a reload must not take an account away from a send that is using it.
  return account == nullptr ? nullptr : std::shared_ptr<const account::Account>(std::move(book), account);
}

const channel::Codec* LiveEffects::FindCodec(mesh::bus::v1::Channel channel) const {
  return channel::FindCodec(channel);
}

}  // namespace sender
