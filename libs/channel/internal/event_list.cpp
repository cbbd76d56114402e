#include "libs/channel/internal/event_list.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "libs/base/byte_key.h"
#include "libs/base/hex.h"
#include "libs/channel/internal/field.h"
#include "libs/crypto/digest.h"

namespace channel {
namespace {

constexpr std::size_t kDerivedDigestBytes = 16;

// Two events of one body with equal keys are the same fact told twice.
std::string RepeatKey(const Event& event) {
  switch (event.kind) {
    case EventKind::kStatus:
      return base::JoinLengthPrefixed({"status", event.account, event.user, event.message_id,
                                       std::to_string(static_cast<int>(event.state)),
                                       std::to_string(event.watermark_ms)});
    case EventKind::kEcho:
      return base::JoinLengthPrefixed({"echo", event.account, event.message_id});
    default:
      return base::JoinLengthPrefixed({"item", event.account, event.message_id});
  }
}

}  // namespace

void EventList::Add(Event event) {
  if (events_.size() >= kEventsMax) {
    overflowed_ = true;
    return;
  }
  events_.push_back(std::move(event));
}

std::vector<Event> EventList::TakeWithDuplicatesMarked() {
  if (events_.size() > 1) {
    absl::flat_hash_set<std::string> seen;
    for (Event& event : events_) {
      if (event.kind == EventKind::kError) continue;
      if (!seen.insert(RepeatKey(event)).second) event.kind = EventKind::kDuplicate;
    }
  }
  return std::exchange(events_, {});
}

Event MakeError(mesh::bus::v1::Channel channel, std::string account, std::int64_t timestamp_ms, Unusable reason) {
  Event event;
  event.kind = EventKind::kError;
  event.channel = channel;
  event.account = std::move(account);
  event.timestamp_ms = timestamp_ms;
  event.type = "unknown";
  event.error = std::string(ToString(reason));
  return event;
}

std::string DerivedId(const json::Value& item) {
  const crypto::Sha256Digest digest = crypto::Sha256(item.Raw());
  return "derived:" + base::ToHex(crypto::AsBytes(digest).substr(0, kDerivedDigestBytes));
}

void KeepOriginal(const json::Value& item, Event& event) { event.original = CutUtf8(item.Raw(), kOriginalBytesMax); }

void RequireParties(Event& event) {
  if (event.account.empty()) {
    event.kind = EventKind::kError;
    event.error = ToString(Unusable::kNoAccount);
  } else if (event.user.empty() && (event.kind == EventKind::kMessage || event.kind == EventKind::kPostback)) {
    event.kind = EventKind::kError;
    event.error = ToString(Unusable::kNoSender);
  }
}

}  // namespace channel
