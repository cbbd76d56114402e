#include "libs/channel/internal/messaging_part.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/channel/link.h"
#include "libs/json/writer.h"

namespace channel {
namespace {

using mesh::bus::v1::Channel;
using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::OutboundChoices;
using mesh::bus::v1::OutboundMedia;
using mesh::bus::v1::OutboundPart;

constexpr std::size_t kQuickRepliesMax = 13;
constexpr std::size_t kQuickReplyTitleMax = 20;
constexpr std::size_t kPayloadBytesMax = 1000;

// What Instagram takes (channels.md 3.4); Messenger takes any.
constexpr std::pair<std::string_view, std::string_view> kInstagramTakes[] = {
    {"image", "png"}, {"image", "jpg"}, {"image", "jpeg"}, {"image", "gif"}, {"audio", "aac"},
    {"audio", "m4a"}, {"audio", "wav"}, {"audio", "mp4"},  {"video", "mp4"}, {"video", "ogg"},
    {"video", "avi"}, {"video", "mov"}, {"video", "webm"}, {"file", "pdf"}};

std::string_view TypeOf(std::string_view type) {
  if (type == "image" || type == "sticker") return "image";
  if (type == "document" || type == "file") return "file";
  return type == "audio" || type == "video" ? type : "";
}

// The platform's word for the file; "" for what it cannot carry.
std::string_view AttachmentType(const OutboundMedia& media, Channel channel) {
  const std::string_view type = TypeOf(media.type());
  if (type.empty() || channel == CHANNEL_MESSENGER || !media.id().empty()) return type;  // an id: the platform has it
  const std::string extension = ExtensionOf(media.link());
  const bool is_taken = std::ranges::any_of(
      kInstagramTakes, [&](const auto& taken) { return taken.first == type && taken.second == extension; });
  return is_taken ? type : "";
}

void FitMedia(const OutboundMedia& media, Channel channel, TextLimit limit, Parts& parts) {
  const std::string_view type = AttachmentType(media, channel);
  const bool has_file = !media.id().empty() || media.link().starts_with("https://");
  if (type.empty() || !has_file) return AddMediaAsText(media, Markup::kPlain, limit, parts);
  OutboundMedia fitted;
  fitted.set_type(std::string(type));
  fitted.set_caption(media.caption());
  media.id().empty() ? fitted.set_link(media.link()) : fitted.set_id(media.id());
  AddMediaBehindCaption(std::move(fitted), Markup::kPlain, limit, parts);
}

void WriteAttachment(const OutboundMedia& media, json::Writer& json) {
  json.Key("attachment");
  json.BeginObject();
  json.Field("type", media.type());
  json.Key("payload");
  json.BeginObject();
  if (!media.id().empty()) {
    json.Field("attachment_id", media.id());
  } else {
    json.Field("url", media.link());
  }
  json.EndObject();
  json.EndObject();
}

void WriteQuickReplies(const OutboundChoices& choices, json::Writer& json) {
  json.Field("text", choices.text());
  json.Key("quick_replies");
  json.BeginArray();
  for (const OutboundChoices::Choice& choice : choices.choices()) {
    json.BeginObject();
    json.Field("content_type", "text");
    json.Field("title", choice.title());
    json.Field("payload", choice.id());
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

Parts FitMessagingPart(const OutboundPart& part, Channel channel, TextLimit limit) {
  Parts parts;
  switch (part.body_case()) {
    case OutboundPart::kText:
      for (std::string& text : SplitText(part.text(), limit)) parts.emplace_back().set_text(std::move(text));
      break;
    case OutboundPart::kMedia:
      FitMedia(part.media(), channel, limit, parts);
      break;
    case OutboundPart::kChoices: {
      const ChoiceLimits limits{.question = limit,
                                .choices_max = kQuickRepliesMax,
                                .title_max = kQuickReplyTitleMax,
                                .id_bytes_max = kPayloadBytesMax};
      if (auto choices = FitChoices(part.choices(), Markup::kPlain, limits, parts)) {
        *parts.emplace_back().mutable_choices() = *std::move(choices);
      } else {
        AddChoicesAsText(part.choices(), Markup::kPlain, limit, parts);
      }
      break;
    }
    case OutboundPart::kReaction:
      // A reaction here is answered without a message id and seen by no echo, so nobody could tell whether it came.
      AddText(part.reaction().emoji(), Markup::kPlain, limit, parts);
      break;
    case OutboundPart::kTemplate:  // the platform's own words, which only WhatsApp has
    case OutboundPart::BODY_NOT_SET:
      break;
  }
  return parts;
}

std::string MessagingBody(std::string_view user, const OutboundPart& part, Channel channel, std::string_view metadata) {
  json::Writer json;
  json.BeginObject();
  json.Key("recipient");
  json.BeginObject();
  json.Field("id", user);
  json.EndObject();
  if (channel != CHANNEL_INSTAGRAM) json.Field("messaging_type", "RESPONSE");
  json.Key("message");
  json.BeginObject();
  if (part.has_media()) {
    WriteAttachment(part.media(), json);
  } else if (part.has_choices()) {
    WriteQuickReplies(part.choices(), json);
  } else {
    json.Field("text", part.text());
  }
  if (channel != CHANNEL_INSTAGRAM && !metadata.empty()) json.Field("metadata", metadata);
  json.EndObject();
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace channel
