#include "libs/channel/internal/body.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "libs/json/value.h"

namespace channel {
namespace {

void DecodeRoot(const json::Value& root, mesh::bus::v1::Channel channel, const EntryDecoder& decode_entry,
                EventList& events) {
  for (const json::Value& entry : root.Find("entry").items()) {
    if (entry.is_object()) {
      decode_entry(entry, events);
    } else {
      events.Add(MakeError(channel, /*account=*/"", /*timestamp_ms=*/0, Unusable::kEntryNotAnObject));
    }
  }
}

bool IsRoot(const json::Value& root, std::string_view object) {
  return root.Find("object").AsString() == object && root.Find("entry").is_array();
}

}  // namespace

absl::StatusOr<std::vector<Event>> DecodeBody(std::string_view body, std::string_view object,
                                              mesh::bus::v1::Channel channel, const EntryDecoder& decode_entry) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body, {.bytes_max = kBodyBytesMax});
  if (!document.ok()) return document.status();

  EventList events;
  const json::Value root = document->root();
  if (IsRoot(root, object)) {
    DecodeRoot(root, channel, decode_entry, events);
  } else {
    bool any = false;
    for (const json::Value& element : root.items()) {
      if (!IsRoot(element, object)) return absl::InvalidArgumentError(std::string(ToString(Unusable::kWrongObject)));
      any = true;
      DecodeRoot(element, channel, decode_entry, events);
    }
    if (!any) return absl::InvalidArgumentError(std::string(ToString(Unusable::kWrongObject)));
  }
  if (events.overflowed()) return absl::InvalidArgumentError(std::string(json::ToString(json::ParseError::kTooLarge)));
  return events.TakeWithDuplicatesMarked();
}

}  // namespace channel
