#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/codec.h"

namespace fakes {

// A request's body, taken apart again.
struct SmallMessage {
  std::string reply_id_hex;
  std::string user;
  std::string in_reply_to;
  std::string text;
};
inline SmallMessage ParseSmallMessage(std::string_view body) {
  const auto take = [&body] {
    const std::size_t comma = body.find(',');
    const std::string field(body.substr(0, comma));
    body.remove_prefix(comma + 1);
    return field;
  };
  SmallMessage message;
  message.reply_id_hex = take();
  message.user = take();
  message.in_reply_to = take();
  message.text = body;
  return message;
}

// A channel in small: parts are separated by '|', a request's body is "reply id,user,in reply to,text", an answer's
// body the verdict, or the id that the message got.
class SmallCodec final : public channel::Codec {
 public:
  mesh::bus::v1::Channel channel() const override { return mesh::bus::v1::CHANNEL_WHATSAPP; }
  absl::StatusOr<std::vector<channel::Event>> Decode(std::string_view) const override {
    return std::vector<channel::Event>{};
  }
  channel::OutboundRequest EncodePart(const account::Account&, std::string_view user,
                                      const mesh::bus::v1::OutboundPart& part, std::string_view in_reply_to,
                                      std::string_view reply_id_hex) const override {
    channel::OutboundRequest request;
    for (const std::string_view field : {reply_id_hex, user, in_reply_to}) request.body.append(field).append(",");
    request.body.append(WordsOf(part));
    return request;
  }
  // What a user sees of it.
  static std::string WordsOf(const mesh::bus::v1::OutboundPart& part) {
    if (part.has_media()) return part.media().link();
    if (part.has_choices()) return part.choices().text();
    if (part.has_template_()) return part.template_().name();
    return part.text();
  }
  channel::SendAnswer DecodeAnswer(int, std::string_view body) const override {
    channel::SendAnswer answer;
    answer.verdict = channel::SendVerdict::kAccepted;
    if (body == "refuse") {
      answer.verdict = channel::SendVerdict::kRetry;
      answer.error_code = 2;
    } else if (body == "refuse twice and it is for good") {
      answer.verdict = channel::SendVerdict::kRetry;
      answer.retry_once = true;
      answer.error_code = 135000;
    } else if (body == "park") {
      answer.verdict = channel::SendVerdict::kPark;
      answer.error_code = 0;  // Meta's own: no token, or none that it can read
      answer.error_class = channel::GraphErrorClass::kToken;
    } else if (body == "fail") {
      answer.verdict = channel::SendVerdict::kFail;
      answer.error_code = 131026;
    } else if (body == "too late") {
      answer.verdict = channel::SendVerdict::kFail;
      answer.error_code = 131047;
      answer.error_class = channel::GraphErrorClass::kWindow;
    } else {
      answer.message_id = body;
    }
    return answer;
  }
  std::vector<channel::OutboundRequest> EncodePresence(const account::Account&, std::string_view, std::string_view,
                                                       channel::PresenceKind) const override {
    return {};
  }
  std::vector<std::string> Split(std::string_view text, std::size_t parts_max) const override {
    std::vector<std::string> parts;
    while (!text.empty()) {
      const std::size_t cut = std::min(text.find('|'), text.size());
      parts.emplace_back(text.substr(0, cut));
      text.remove_prefix(std::min(cut + 1, text.size()));
    }
    if (parts.size() > parts_max) {
      parts.resize(parts_max);
      parts.back() += "...";
    }
    return parts;
  }
  std::vector<mesh::bus::v1::OutboundPart> Fit(const mesh::bus::v1::OutboundPart& part) const override {
    return {part};
  }
};

}  // namespace fakes
