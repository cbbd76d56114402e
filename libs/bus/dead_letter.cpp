#include "libs/bus/dead_letter.h"

#include <cstddef>
#include <utility>

#include "libs/base/clock.h"
#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"

namespace bus {
namespace {

// A wrapped record must fit the topic's 4 MiB with its key, headers and detail.
constexpr std::size_t kValueBytesMax = 3 << 20;
constexpr std::size_t kCutValueBytes = 512 << 10;
constexpr std::size_t kKeyBytesMax = 64 << 10;
constexpr std::size_t kDetailBytesMax = 4 << 10;

// A record whose decoding failed or killed a process must not be decoded here once more.
bool MayDecode(DeadLetterReason reason) {
  return reason != DeadLetterReason::kUndecodable && reason != DeadLetterReason::kUnknownSchema &&
         reason != DeadLetterReason::kPoison;
}

std::string ToAscii(std::string_view text) {
  std::string ascii(text);
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return ascii;
}

// Fills conversation and generation from the origin's value, as far as its topic says what it holds.
void DescribeOrigin(const BusOptions& bus, const Record& origin, mesh::bus::v1::DeadLetter* letter) {
  if (origin.topic == TopicName(bus, kTurns)) {
    mesh::bus::v1::Turn turn;
    if (turn.ParseFromString(origin.value) && turn.has_conversation()) {
      *letter->mutable_conversation() = std::move(*turn.mutable_conversation());
    }
  } else if (origin.topic == TopicName(bus, kReplies) || origin.topic == TopicName(bus, kParked)) {
    mesh::bus::v1::ReplyRecord record;
    if (record.ParseFromString(origin.value) && record.has_reply() && record.reply().has_conversation()) {
      letter->set_generation(record.reply().generation());
      *letter->mutable_conversation() = std::move(*record.mutable_reply()->mutable_conversation());
    }
  }
}

}  // namespace

std::string_view ToString(DeadLetterReason reason) {
  switch (reason) {
    case DeadLetterReason::kUndecodable:
      return "undecodable";
    case DeadLetterReason::kUnknownSchema:
      return "unknown_schema";
    case DeadLetterReason::kKeyMismatch:
      return "key_mismatch";
    case DeadLetterReason::kUnknownAccount:
      return "unknown_account";
    case DeadLetterReason::kDeadline:
      return "deadline";
    case DeadLetterReason::kRefused:
      return "refused";
    case DeadLetterReason::kSendFailed:
      return "send_failed";
    case DeadLetterReason::kPoison:
      return "poison";
    case DeadLetterReason::kTooLarge:
      return "too_large";
    case DeadLetterReason::kPromptTooLong:
      return "prompt_too_long";
    case DeadLetterReason::kEmptyAnswer:
      return "empty_answer";
    case DeadLetterReason::kWindowClosed:
      return "window_closed";
  }
  return "unknown";
}

void ProduceDeadLetter(Producer& producer, const BusOptions& bus, const Record& origin, DeadLetterReason reason,
                       std::string_view detail, std::uint32_t attempts, std::string_view service,
                       DeliveryCallback on_delivery) {
  const std::int64_t wall_ms = base::Clock::Real().WallMs();
  mesh::bus::v1::DeadLetter letter;
  letter.set_reason(std::string(ToString(reason)));
  // Protobuf strings must be UTF-8, or the letter itself could not be read; details may quote a peer's bytes.
  std::string text = ToAscii(detail.substr(0, kDetailBytesMax));
  std::string_view value = origin.value;
  if (value.size() > kValueBytesMax) {
    text += base::StrCat(" [value cut from ", value.size(), " to ", kCutValueBytes, " bytes]");
    value = value.substr(0, kCutValueBytes);
  }
  letter.set_detail(std::move(text));
  letter.set_origin_topic(origin.topic);
  letter.set_origin_partition(origin.partition);
  letter.set_origin_offset(origin.offset);
  letter.set_original_key(origin.key.substr(0, kKeyBytesMax));
  letter.set_original_value(std::string(value));
  letter.set_service(std::string(service));
  letter.set_attempts(attempts);
  letter.set_dead_at_ms(wall_ms);
  letter.set_generation(GenerationOf(origin.headers));  // of a turn; a reply's own generation is in its bytes
  if (MayDecode(reason)) DescribeOrigin(bus, origin, &letter);

  OutgoingRecord record;
  record.topic = TopicName(bus, kDeadLetter);
  record.key = letter.original_key();
  record.value = letter.SerializeAsString();
  record.headers =
      MakeHeaders(TraceOf(origin.headers), "mesh.bus.v1.DeadLetter", RecordPlace(origin), service, wall_ms);
  if (const std::string_view type = FindHeader(origin.headers, "ce_type"); !type.empty()) {
    SetHeader(record.headers, kOriginTypeHeader, std::string(type));
  }
  producer.Produce(std::move(record), std::move(on_delivery));
}

}  // namespace bus
