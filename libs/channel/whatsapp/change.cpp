#include "libs/channel/whatsapp/change.h"

#include <string_view>
#include <utility>

#include "libs/channel/internal/field.h"
#include "libs/channel/whatsapp/message.h"
#include "libs/channel/whatsapp/status.h"

namespace channel::whatsapp {
namespace {

constexpr mesh::bus::v1::Channel kChannel = mesh::bus::v1::CHANNEL_WHATSAPP;

// Something about the account or a conversation that is neither message nor status: kept as it is.
Event MakeEvent(const json::Value& item, std::string_view type, const ValueContext& context) {
  Event event;
  event.kind = EventKind::kEvent;
  event.channel = kChannel;
  event.account = context.account;
  event.user = ResolveSender(item, json::Value());
  event.message_id = DerivedId(item);
  event.timestamp_ms = TimestampMsOf(item.Find("timestamp"));
  if (event.timestamp_ms == 0) event.timestamp_ms = context.timestamp_ms;
  event.type = type.empty() ? "unknown" : std::string(type);
  KeepOriginal(item, event);
  RequireParties(event);
  return event;
}

// Decodes each object of `list`; anything else in it, or a list that is none, is counted.
template <typename DecodeOne>
void DecodeList(const json::Value& list, const ValueContext& context, Unusable not_a_list, EventList& events,
                const DecodeOne& decode_one) {
  if (!list.exists()) return;
  if (!list.is_array()) {
    events.Add(MakeError(kChannel, context.account, context.timestamp_ms, not_a_list));
    return;
  }
  for (const json::Value& item : list.items()) {
    if (item.is_object()) {
      events.Add(decode_one(item));
    } else {
      events.Add(MakeError(kChannel, context.account, context.timestamp_ms, Unusable::kItemNotAnObject));
    }
  }
}

// Field `messages`: what users say, what became of what we said, and problems of the account.
void DecodeMessages(const json::Value& change, const json::Value& value, const ValueContext& context,
                    EventList& events) {
  DecodeList(value.Find("messages"), context, Unusable::kMessagesNotAList, events,
             [&](const json::Value& message) { return DecodeMessage(message, context); });
  DecodeList(value.Find("statuses"), context, Unusable::kStatusesNotAList, events,
             [&](const json::Value& status) { return DecodeStatus(status, context); });
  DecodeList(value.Find("errors"), context, Unusable::kErrorsNotAList, events, [&](const json::Value& error) {
    Event event = MakeEvent(error, "errors", context);
    DecodeError(error, event);
    return event;
  });
  if (!value.Find("messages").exists() && !value.Find("statuses").exists() && !value.Find("errors").exists()) {
    events.Add(MakeEvent(change, "messages", context));
  }
}

// The user wants no messages any more, or wants them again. The only category known is `marketing_messages`.
mesh::bus::v1::ControlAction PreferenceOf(const json::Value& item) {
  const std::string value = TextOf(item.Find("value"), kTypeBytesMax);
  if (value == "stop") return mesh::bus::v1::CONTROL_ACTION_OPT_OUT;
  return value == "resume" ? mesh::bus::v1::CONTROL_ACTION_OPT_IN : mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
}

// Any other field: one event an element where the value holds a list under the field's own name (`calls`,
// `user_preferences`, `user_id_update`), else one event for the change.
void DecodeOtherField(const json::Value& change, const json::Value& value, std::string_view field,
                      const ValueContext& context, EventList& events) {
  const json::Value list = value.Find(field);
  if (!list.is_array()) {
    events.Add(MakeEvent(change, field, context));
    return;
  }
  DecodeList(list, context, Unusable::kItemsNotAList, events, [&](const json::Value& item) {
    Event event = MakeEvent(item, field, context);
    // What a user said before stands on the old id, which the contacts no longer have.
    if (event.user.empty() && field == "user_id_update") event.user = IdOf(item.Find("user_id").Find("previous"));
    if (event.user.empty()) event.user = ResolveSender(item, context.contacts);
    if (field == "user_preferences") event.control = PreferenceOf(item);
    return event;
  });
}

}  // namespace

void DecodeChange(const json::Value& change, const std::string& waba, std::int64_t entry_timestamp_ms,
                  EventList& events) {
  const std::string field = TextOf(change.Find("field"), kTypeBytesMax);
  const json::Value value = change.Find("value");
  ValueContext context{.account = IdOf(value.Find("metadata").Find("phone_number_id")),
                       .contacts = value.Find("contacts"),
                       .timestamp_ms = entry_timestamp_ms};
  const bool is_messages = field == "messages";
  const bool is_echoes = field == "smb_message_echoes";
  if ((is_messages || is_echoes) && !value.is_object()) {
    events.Add(MakeError(kChannel, waba, entry_timestamp_ms, Unusable::kValueNotAnObject));
    return;
  }
  if (is_messages) return DecodeMessages(change, value, context, events);
  if (is_echoes && value.Find("message_echoes").exists()) {
    DecodeList(value.Find("message_echoes"), context, Unusable::kMessageEchoesNotAList, events,
               [&](const json::Value& message) { return DecodeEcho(message, context); });
    return;
  }
  // Changes of the business account name no number of ours: they are told under the account's own id.
  if (context.account.empty()) context.account = waba;
  DecodeOtherField(change, value, field, context, events);
}

}  // namespace channel::whatsapp
