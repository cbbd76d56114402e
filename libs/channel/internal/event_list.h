#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/event.h"
#include "libs/channel/unusable.h"
#include "libs/json/value.h"

namespace channel {

// Bounds of what one webhook body may become. Meta promises at most 1,000 updates and 3 MB a body (channels.md 1.3);
// everything beyond these bounds is nonsense that was signed, or hostile.
inline constexpr std::size_t kBodyBytesMax = 4u << 20;
inline constexpr std::size_t kEventsMax = 10'000;
inline constexpr std::size_t kOriginalBytesMax = 64u << 10;  // Event::original, and Event::text
inline constexpr std::size_t kIdBytesMax = 1024;
inline constexpr std::size_t kUrlBytesMax = 8u << 10;
inline constexpr std::size_t kTypeBytesMax = 64;
inline constexpr std::size_t kTitleBytesMax = 200;
inline constexpr std::size_t kAttachmentsMax = 64;

// The events of one body, in order, as they are found.
class EventList {
 public:
  // Beyond kEventsMax the event is dropped and overflowed() is true from then on.
  void Add(Event event);
  bool overflowed() const { return overflowed_; }

  // Turns repeats of an id into kDuplicate and gives the events away. Statuses repeat only with the same state and
  // user; an echo never repeats a user's message.
  std::vector<Event> TakeWithDuplicatesMarked();

 private:
  std::vector<Event> events_;
  bool overflowed_ = false;
};

// An item that cannot be understood.
Event MakeError(mesh::bus::v1::Channel channel, std::string account, std::int64_t timestamp_ms, Unusable reason);

// The id of an item to which the channel gives none: the same bytes give the same id, so that a retried webhook does.
std::string DerivedId(const json::Value& item);

// Fills Event::original. For items whose text does not say everything.
void KeepOriginal(const json::Value& item, Event& event);

// What a user said or pressed needs somebody to answer: without an account or a sender it becomes kError.
void RequireParties(Event& event);

}  // namespace channel
