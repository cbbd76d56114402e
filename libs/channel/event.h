#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/bus/v1/bus.pb.h"

namespace channel {

// What one item of a webhook means, the same for all channels. `meshctl decode` prints the kind in lower case.
enum class EventKind {
  kMessage,     // the user said something
  kPostback,    // the user pressed something
  kUnreadable,  // the user said something that cannot be read: a poll, a type not seen before. `type` names it
  kStatus,      // sent, delivered, read, failed of our message
  kEcho,        // a message of the account itself, seen again
  kStandby,     // another app owns the thread: keep, never answer
  kEvent,       // anything else that changes or describes the conversation
  kError,       // an item that cannot be understood even as an event (no account, no usable content): counted with its
                // reason
  kDuplicate,   // the same message id again within this body
  kCount,
};

struct Event {
  EventKind kind = EventKind::kEvent;
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string account;  // phone_number_id, page id, IG account id; empty only for kError
  std::string user;     // sender as the channel names it; may be empty for account-level events
  std::string
      message_id;  // wamid, mid; derived from the item's bytes (`derived:` + 32 hex) where the channel gives none
  std::int64_t timestamp_ms = 0;
  std::string type;                      // the channel's word: text, image, reaction, ...; "unknown" when it gave none
  std::string text;                      // what the model should read; empty when there is none
  std::optional<std::string> own_words;  // what the user wrote of `text`, where that says more
  std::string reply_to_message_id;
  std::vector<mesh::bus::v1::Attachment> attachments;
  std::string original;  // the item's JSON, at most 64 KiB, when `text` does not carry all of it
  std::string error;     // kError: one of UnusableReasons()

  // What the item changes beyond itself; a standby item may, too.
  mesh::bus::v1::ControlAction control = mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
  // pass_thread_control, take_thread_control: the app that has the thread now; empty where the event does not tell.
  // `control` is what the event means to an account whose own app id is not known.
  std::string thread_owner_app_id;
  std::string unsent_message_id;  // the message that the user took back

  // kStatus and kEcho
  mesh::bus::v1::DeliveryState state = mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
  std::string reply_id_hex;
  std::int64_t watermark_ms = 0;
  std::int32_t error_code = 0;
  std::string error_title;
};

}  // namespace channel
