#include "libs/channel/internal/messaging_entry.h"

#include <string>

#include "libs/channel/internal/field.h"
#include "libs/channel/internal/messaging_item.h"

namespace channel {
namespace {

void DecodeItems(const json::Value& items, const MessagingEntry& entry, EventList& events) {
  if (!items.is_array()) {
    events.Add(MakeError(entry.channel, entry.id, entry.timestamp_ms, Unusable::kItemsNotAList));
    return;
  }
  for (const json::Value& item : items.items()) {
    if (item.is_object()) {
      DecodeMessagingItem(item, entry, events);
    } else {
      events.Add(MakeError(entry.channel, entry.id, entry.timestamp_ms, Unusable::kItemNotAnObject));
    }
  }
}

Event MakeEvent(const MessagingEntry& entry, const json::Value& item, std::string type) {
  Event event;
  event.kind = EventKind::kEvent;
  event.channel = entry.channel;
  event.account = entry.id;
  event.message_id = DerivedId(item);
  event.timestamp_ms = entry.timestamp_ms;
  event.type = type.empty() ? "unknown" : std::move(type);
  KeepOriginal(item, event);
  RequireParties(event);
  return event;
}

// Comments, mentions, page feed: told about, not spoken to (channels.md 2.3).
void DecodeChange(const json::Value& change, const MessagingEntry& entry, EventList& events) {
  const json::Value value = change.Find("value");
  // The dashboard's "Test" button sends message items as changes.
  if (value.Find("sender").is_object() && value.Find("recipient").is_object()) {
    DecodeMessagingItem(value, entry, events);
    return;
  }
  Event event = MakeEvent(entry, change, TextOf(change.Find("field"), kTypeBytesMax));
  event.user = IdOf(value.Find("from").Find("id"));
  event.text = TextOf(value.Find("text"), kOriginalBytesMax);
  if (event.text.empty()) event.text = TextOf(value.Find("message"), kOriginalBytesMax);
  if (const std::int64_t created_ms = TimestampMsOf(value.Find("created_time")); created_ms != 0) {
    event.timestamp_ms = created_ms;
  }
  events.Add(std::move(event));
}

void DecodeChanges(const json::Value& changes, const MessagingEntry& entry, EventList& events) {
  if (!changes.is_array()) {
    events.Add(MakeError(entry.channel, entry.id, entry.timestamp_ms, Unusable::kChangesNotAList));
    return;
  }
  for (const json::Value& change : changes.items()) {
    if (change.is_object()) {
      DecodeChange(change, entry, events);
    } else {
      events.Add(MakeError(entry.channel, entry.id, entry.timestamp_ms, Unusable::kChangeNotAnObject));
    }
  }
}

}  // namespace

void DecodeMessagingEntry(const json::Value& value, mesh::bus::v1::Channel channel, EventList& events) {
  MessagingEntry entry{
      .channel = channel, .id = IdOf(value.Find("id")), .timestamp_ms = TimestampMsOf(value.Find("time"))};
  const json::Value messaging = value.Find("messaging");
  const json::Value standby = value.Find("standby");
  const json::Value changes = value.Find("changes");
  if (messaging.exists()) DecodeItems(messaging, entry, events);
  if (changes.exists()) DecodeChanges(changes, entry, events);
  if (standby.exists()) {
    MessagingEntry standby_entry = entry;
    standby_entry.is_standby = true;
    DecodeItems(standby, standby_entry, events);
  }
  if (!messaging.exists() && !standby.exists() && !changes.exists()) events.Add(MakeEvent(entry, value, "unknown"));
}

}  // namespace channel
