#include "services/meshctl/requeue.h"

#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/dead_letter.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/records/reply_record.h"
#include "libs/records/turn_record.h"

namespace meshctl {
namespace {

// When another try may end otherwise than the first did.
struct Remedy {
  bus::DeadLetterReason reason;
  std::string_view when;
};

constexpr std::string_view kAtAnyTime = "";
constexpr std::string_view kNever = "never";

constexpr Remedy kRemedies[] = {
    {bus::DeadLetterReason::kUndecodable, kNever},
    {bus::DeadLetterReason::kKeyMismatch, kNever},
    {bus::DeadLetterReason::kUnknownAccount, ", once its account is configured"},
    {bus::DeadLetterReason::kDeadline, kAtAnyTime},
    {bus::DeadLetterReason::kRefused, ", with another model or other settings of its account"},
    {bus::DeadLetterReason::kSendFailed, ", once what the platform names is settled"},
    {bus::DeadLetterReason::kPoison, ", after an upgrade"},
    {bus::DeadLetterReason::kTooLarge, kNever},
    {bus::DeadLetterReason::kPromptTooLong, ", with another model or other settings of its account"},
    {bus::DeadLetterReason::kEmptyAnswer, ", with another model or other settings of its account"},
    {bus::DeadLetterReason::kUnknownSchema, ", after the upgrade"},
    {bus::DeadLetterReason::kWindowClosed, ", once its user has written again"}};
static_assert(std::size(kRemedies) == std::size(bus::kDeadLetterReasons));

std::string_view RemedyOf(std::string_view reason) {
  for (const Remedy& remedy : kRemedies) {
    if (bus::ToString(remedy.reason) == reason) return remedy.when;
  }
  return kAtAnyTime;  // a reason of a newer version
}

bool WasCut(const mesh::bus::v1::DeadLetter& letter) {
  return letter.detail().find("[value cut from") != std::string::npos;
}

}  // namespace

std::string RequeueHint(const bus::Record& record, const mesh::bus::v1::DeadLetter& letter) {
  const std::string_view when = RemedyOf(letter.reason());
  if (when == kNever || WasCut(letter)) return "";
  return base::StrCat("; back to work", when, ": meshctl dead-letter requeue ", CommandName(record));
}

absl::StatusOr<bus::OutgoingRecord> RequeuedRecord(const mesh::bus::v1::DeadLetter& letter, const bus::Headers& headers,
                                                   const bus::BusOptions& options, std::int64_t now_ms) {
  const std::string& topic = letter.origin_topic();
  const bool is_turn = topic == bus::TopicName(options, bus::kTurns);
  const bool is_reply =
      topic == bus::TopicName(options, bus::kReplies) || topic == bus::TopicName(options, bus::kParked);
  const bool is_status = topic == bus::TopicName(options, bus::kStatuses);
  if (!is_turn && !is_reply && !is_status) {
    return absl::FailedPreconditionError(
        base::StrCat("its topic \"", topic, "\" is none that is consumed; is --kafka-topic-prefix right?"));
  }
  if (WasCut(letter)) {
    return absl::FailedPreconditionError("it was too large to be kept whole");
  }
  const std::uint32_t generation = letter.generation() + 1;
  bus::OutgoingRecord record;
  record.topic = topic;
  record.key = letter.original_key();
  record.value = letter.original_value();
  if (is_reply) {
    mesh::bus::v1::ReplyRecord reply;
    if (reply.ParseFromString(record.value) && reply.has_reply()) {
      reply.mutable_reply()->set_generation(generation);
      record.value = reply.SerializeAsString();
    }
  }
  const std::string id =
      base::StrCat(topic, "/", letter.origin_partition(), "/", letter.origin_offset(), "/", generation);
  // What a newer version wrote stays of its type, or it would be read as what it is not.
  std::string_view type = bus::FindHeader(headers, bus::kOriginTypeHeader);
  if (type.empty()) {
    type = is_turn ? records::kTurnType : is_reply ? records::kReplyType : "mesh.bus.v1.DeliveryStatus";
  }
  record.headers = bus::MakeHeaders(bus::TraceOf(headers), type, id, "meshctl", now_ms);
  record.headers.emplace_back(std::string(bus::kGenerationHeader), std::to_string(generation));
  return record;
}

std::string CommandName(const bus::Record& record) { return base::StrCat(record.partition, "-", record.offset); }

absl::Status WriteRequeued(bus::Producer& producer, const std::string& name, absl::StatusOr<bus::OutgoingRecord> record,
                           std::uint32_t generation) {
  if (!record.ok()) return record.status();
  const absl::Status status = producer.ProduceAndWait(*std::move(record)).status();
  if (status.ok()) std::printf("requeued %s as generation %u\n", name.c_str(), generation + 1);
  return status;
}

}  // namespace meshctl
