#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh_test {

// A webhook body with one text message, written by hand after channels' documentation, not by the codecs under test.
// `text` and ids must not need JSON escaping.
std::string TextMessageBody(std::string_view channel, std::string_view account, std::string_view user,
                            std::string_view message_id, std::string_view text);

// WhatsApp: a text that answers a product of the business's catalogue.
std::string TextAboutProductBody(std::string_view account, std::string_view user, std::string_view message_id,
                                 std::string_view text);

// WhatsApp: what the platform does not pass on, such as `poll_creation`.
std::string UnsupportedBody(std::string_view account, std::string_view user, std::string_view message_id,
                            std::string_view what);

// A picture, as WhatsApp tells it: a media id, its type and, where given, the SHA-256 of the file in base64.
std::string WhatsAppImageBody(std::string_view account, std::string_view user, std::string_view message_id,
                              std::string_view media_id, std::string_view sha256 = "");
// As Messenger and Instagram tell it: a URL.
std::string ImageUrlBody(std::string_view channel, std::string_view account, std::string_view user,
                         std::string_view message_id, std::string_view url);

// The platform's echo or status for one of our sends.
std::string DeliveredStatusBody(std::string_view account, std::string_view user, std::string_view message_id);

// A press of one of WhatsApp's buttons.
std::string ButtonReplyBody(std::string_view account, std::string_view user, std::string_view message_id,
                            std::string_view id, std::string_view title);

// A body of WhatsApp's, as it comes when its webhook was held up for so long.
std::string AgedBody(std::string body, std::int64_t age_s);

// WhatsApp's message of type `system` that a user's number changed.
std::string ChangedNumberBody(std::string_view account, std::string_view from, std::string_view to);

// WhatsApp: the user took the message back, by a message of its own.
std::string RevokeBody(std::string_view account, std::string_view user, std::string_view message_id,
                       std::string_view revoked_message_id);

// WhatsApp: the user wants no marketing messages any more ("stop"), or wants them again ("resume").
std::string PreferenceBody(std::string_view account, std::string_view user, std::string_view value);

}  // namespace mesh_test
