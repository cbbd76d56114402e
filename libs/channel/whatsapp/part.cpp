#include "libs/channel/whatsapp/part.h"

#include <algorithm>
#include <utility>

#include "libs/channel/whatsapp_user_id.h"
#include "libs/json/writer.h"
#include "libs/unicode/utf8.h"

namespace channel::whatsapp {
namespace {

using mesh::bus::v1::OutboundChoices;
using mesh::bus::v1::OutboundMedia;
using mesh::bus::v1::OutboundPart;
using mesh::bus::v1::OutboundReaction;
using mesh::bus::v1::OutboundTemplate;

constexpr std::size_t kCaptionMax = 1024;  // code points
constexpr std::size_t kFileNameBytesMax = 240;
constexpr TextLimit kQuestionLimit{LengthUnit::kCodePoints, 1024};
constexpr int kButtonsMax = 3;
constexpr std::size_t kButtonTitleMax = 20;
constexpr std::size_t kButtonIdBytesMax = 200;  // 256 of a button, 200 of a row
constexpr std::size_t kRowsMax = 10;
constexpr std::size_t kRowTitleMax = 24;
constexpr std::size_t kRowDescriptionMax = 72;
constexpr std::size_t kTemplateParameterMax = 1024;
constexpr char kListButton[] = "\u25BC";  // where the reply names none: a word would be in some language

std::string_view MediaType(std::string_view type) {
  if (type == "file") return "document";
  static constexpr std::string_view kTypes[] = {"image", "audio", "video", "document", "sticker"};
  const auto* const found = std::ranges::find(kTypes, type);
  return found == std::end(kTypes) ? "" : *found;
}

void FitMedia(const OutboundMedia& media, Parts& parts) {
  const std::string_view type = MediaType(media.type());
  const bool has_file = !media.id().empty() || media.link().starts_with("https://");
  if (type.empty() || !has_file) return AddMediaAsText(media, Markup::kWhatsApp, kWhatsAppTextLimit, parts);
  OutboundMedia fitted;
  fitted.set_type(std::string(type));
  media.id().empty() ? fitted.set_link(media.link()) : fitted.set_id(media.id());
  if (type == "document") {
    fitted.set_file_name(CutText(OneLine(media.file_name()), {LengthUnit::kBytes, kFileNameBytesMax}));
  }
  const std::string caption = unicode::SanitizeUtf8(FormatMarkdown(media.caption(), Markup::kWhatsApp));
  if (type != "audio" && type != "sticker" && unicode::CodePointCount(caption) <= kCaptionMax) {
    fitted.set_caption(caption);
    *parts.emplace_back().mutable_media() = std::move(fitted);
    return;
  }
  fitted.set_caption(media.caption());
  AddMediaBehindCaption(std::move(fitted), Markup::kWhatsApp, kWhatsAppTextLimit, parts);
}

void FitChoicesPart(const OutboundChoices& choices, Parts& parts) {
  // A button has no room for more than its title.
  const bool needs_rows = std::ranges::any_of(choices.choices(), [](const OutboundChoices::Choice& choice) {
    return !choice.description().empty() || unicode::CodePointCount(OneLine(choice.title())) > kButtonTitleMax;
  });
  const bool is_list = needs_rows || !choices.list_button().empty() || choices.choices_size() > kButtonsMax;
  const ChoiceLimits limits{.question = kQuestionLimit,
                            .choices_max = kRowsMax,
                            .title_max = is_list ? kRowTitleMax : kButtonTitleMax,
                            .description_max = is_list ? kRowDescriptionMax : 0,
                            .id_bytes_max = kButtonIdBytesMax};
  std::optional<OutboundChoices> fitted = FitChoices(choices, Markup::kWhatsApp, limits, parts);
  if (!fitted) return AddChoicesAsText(choices, Markup::kWhatsApp, kWhatsAppTextLimit, parts);
  if (is_list) {
    const std::string button = OneLine(choices.list_button());
    fitted->set_list_button(button.empty() ? kListButton : CutText(button, {LengthUnit::kCodePoints, kButtonTitleMax}));
  }
  *parts.emplace_back().mutable_choices() = *std::move(fitted);
}

void FitReaction(const OutboundReaction& reaction, Parts& parts) {
  if (!IsPlatformId(reaction.message_id())) {
    return AddText(reaction.emoji(), Markup::kWhatsApp, kWhatsAppTextLimit, parts);
  }
  *parts.emplace_back().mutable_reaction() = reaction;
}

void FitTemplate(const OutboundTemplate& wanted, Parts& parts) {
  if (wanted.name().empty() || wanted.language().empty()) return;
  OutboundTemplate& fitted = *parts.emplace_back().mutable_template_();
  fitted = wanted;
  for (std::string& parameter : *fitted.mutable_body_parameters()) {
    parameter = CutText(OneLine(parameter), {LengthUnit::kCodePoints, kTemplateParameterMax});
  }
}

void WriteMedia(const OutboundMedia& media, json::Writer& json) {
  json.Key(media.type());
  json.BeginObject();
  if (!media.id().empty()) {
    json.Field("id", media.id());
  } else {
    json.Field("link", media.link());
  }
  if (!media.caption().empty()) json.Field("caption", media.caption());
  if (!media.file_name().empty()) json.Field("filename", media.file_name());
  json.EndObject();
}

void WriteButtons(const OutboundChoices& choices, json::Writer& json) {
  json.Key("buttons");
  json.BeginArray();
  for (const OutboundChoices::Choice& choice : choices.choices()) {
    json.BeginObject();
    json.Field("type", "reply");
    json.Key("reply");
    json.BeginObject();
    json.Field("id", choice.id());
    json.Field("title", choice.title());
    json.EndObject();
    json.EndObject();
  }
  json.EndArray();
}

void WriteRows(const OutboundChoices& choices, json::Writer& json) {
  json.Field("button", choices.list_button());
  json.Key("sections");
  json.BeginArray();
  json.BeginObject();  // one section needs no title
  json.Key("rows");
  json.BeginArray();
  for (const OutboundChoices::Choice& choice : choices.choices()) {
    json.BeginObject();
    json.Field("id", choice.id());
    json.Field("title", choice.title());
    if (!choice.description().empty()) json.Field("description", choice.description());
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  json.EndArray();
}

void WriteInteractive(const OutboundChoices& choices, json::Writer& json) {
  const bool is_list = !choices.list_button().empty();
  json.Key("interactive");
  json.BeginObject();
  json.Field("type", is_list ? "list" : "button");
  json.Key("body");
  json.BeginObject();
  json.Field("text", choices.text());
  json.EndObject();
  json.Key("action");
  json.BeginObject();
  is_list ? WriteRows(choices, json) : WriteButtons(choices, json);
  json.EndObject();
  json.EndObject();
}

void WriteTemplate(const OutboundTemplate& wanted, json::Writer& json) {
  json.Key("template");
  json.BeginObject();
  json.Field("name", wanted.name());
  json.Key("language");
  json.BeginObject();
  json.Field("code", wanted.language());
  json.EndObject();
  if (wanted.body_parameters_size() > 0) {
    json.Key("components");
    json.BeginArray();
    json.BeginObject();
    json.Field("type", "body");
    json.Key("parameters");
    json.BeginArray();
    for (const std::string& parameter : wanted.body_parameters()) {
      json.BeginObject();
      json.Field("type", "text");
      json.Field("text", parameter);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    json.EndArray();
  }
  json.EndObject();
}

// "type" and the object of that name.
void WriteContent(const OutboundPart& part, json::Writer& json) {
  switch (part.body_case()) {
    case OutboundPart::kMedia:
      json.Field("type", part.media().type());
      return WriteMedia(part.media(), json);
    case OutboundPart::kChoices:
      json.Field("type", "interactive");
      return WriteInteractive(part.choices(), json);
    case OutboundPart::kReaction:
      json.Field("type", "reaction");
      json.Key("reaction");
      json.BeginObject();
      json.Field("message_id", part.reaction().message_id());
      json.Field("emoji", part.reaction().emoji());
      return json.EndObject();
    case OutboundPart::kTemplate:
      json.Field("type", "template");
      return WriteTemplate(part.template_(), json);
    case OutboundPart::kText:
    case OutboundPart::BODY_NOT_SET:
      json.Field("type", "text");
      json.Key("text");
      json.BeginObject();
      json.Field("body", part.text());
      return json.EndObject();
  }
}

}  // namespace

bool IsPlatformId(std::string_view message_id) { return !message_id.empty() && !message_id.starts_with("derived:"); }

Parts FitPart(const OutboundPart& part) {
  Parts parts;
  switch (part.body_case()) {
    case OutboundPart::kText:
      for (std::string& text : SplitText(part.text(), kWhatsAppTextLimit)) {
        parts.emplace_back().set_text(std::move(text));
      }
      break;
    case OutboundPart::kMedia:
      FitMedia(part.media(), parts);
      break;
    case OutboundPart::kChoices:
      FitChoicesPart(part.choices(), parts);
      break;
    case OutboundPart::kReaction:
      FitReaction(part.reaction(), parts);
      break;
    case OutboundPart::kTemplate:
      FitTemplate(part.template_(), parts);
      break;
    case OutboundPart::BODY_NOT_SET:
      break;
  }
  return parts;
}

std::string PartBody(std::string_view user, const OutboundPart& part, std::string_view in_reply_to,
                     std::string_view callback_data) {
  json::Writer json;
  json.BeginObject();
  json.Field("messaging_product", "whatsapp");
  json.Field("recipient_type", "individual");
  // Both at once would make Meta ignore `recipient`.
  json.Field(ReadUserId(user).kind == UserId::Kind::kNumber ? "to" : "recipient", user);
  WriteContent(part, json);
  if (IsPlatformId(in_reply_to) && !part.has_reaction()) {
    json.Key("context");
    json.BeginObject();
    json.Field("message_id", in_reply_to);
    json.EndObject();
  }
  if (!callback_data.empty()) json.Field("biz_opaque_callback_data", callback_data);
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace channel::whatsapp
