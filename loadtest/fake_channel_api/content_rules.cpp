#include "loadtest/fake_channel_api/content_rules.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "libs/base/str_cat.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace fake_channel_api {
namespace {

using Verdict = std::optional<GraphError>;

constexpr std::size_t kButtonsMax = 3;
constexpr std::size_t kButtonTitleMax = 20;
constexpr std::size_t kButtonIdMax = 256;
constexpr std::size_t kRowsMax = 10;
constexpr std::size_t kRowTitleMax = 24;
constexpr std::size_t kRowIdMax = 200;
constexpr std::size_t kRowDescriptionMax = 72;
constexpr std::size_t kInteractiveBodyMax = 1024;
constexpr std::size_t kCaptionMax = 1024;
constexpr std::size_t kQuickRepliesMax = 13;
constexpr std::size_t kQuickReplyTitleMax = 20;
constexpr std::size_t kPayloadMax = 1000;

std::string String(const json::Value& value) { return std::string(value.AsString().value_or("")); }

bool HasLength(const json::Value& text, std::size_t max) {
  return text.AsString() && !text.AsString()->empty() && unicode::CodePointCount(*text.AsString()) <= max;
}

bool IsAbsentOrAtMost(const json::Value& text, std::size_t max) {
  return !text.exists() || (text.AsString() && unicode::CodePointCount(*text.AsString()) <= max);
}

bool IsUrl(const json::Value& url) {
  const std::string text = String(url);
  return text.starts_with("https://") || text.starts_with("http://");
}

Verdict CheckButtons(const json::Value& buttons) {
  if (buttons.size() < 1 || buttons.size() > kButtonsMax) return InvalidValue("number of buttons");
  std::set<std::string> ids;
  std::set<std::string> titles;
  for (const json::Value button : buttons.items()) {
    const json::Value reply = button.Find("reply");
    if (!HasLength(reply.Find("id"), kButtonIdMax)) return InvalidValue("button id length");
    if (!HasLength(reply.Find("title"), kButtonTitleMax)) return InvalidValue("button title length");
    ids.insert(String(reply.Find("id")));
    titles.insert(String(reply.Find("title")));
  }
  if (ids.size() != buttons.size()) return InvalidValue("duplicated button id");
  if (titles.size() != buttons.size()) return InvalidValue("duplicated button title");
  return std::nullopt;
}

Verdict CheckList(const json::Value& action) {
  if (!HasLength(action.Find("button"), kButtonTitleMax)) return InvalidValue("list button length");
  const json::Value sections = action.Find("sections");
  std::size_t rows = 0;
  std::set<std::string> ids;
  for (const json::Value section : sections.items()) {
    if (sections.size() > 1 && !HasLength(section.Find("title"), kRowTitleMax)) return InvalidValue("section title");
    rows += section.Find("rows").size();
    for (const json::Value row : section.Find("rows").items()) {
      if (!HasLength(row.Find("id"), kRowIdMax)) return InvalidValue("row id length");
      if (!HasLength(row.Find("title"), kRowTitleMax)) return InvalidValue("row title length");
      if (!IsAbsentOrAtMost(row.Find("description"), kRowDescriptionMax)) return InvalidValue("row description length");
      ids.insert(String(row.Find("id")));
    }
  }
  if (rows < 1 || rows > kRowsMax) return InvalidValue("number of rows");
  if (ids.size() != rows) return InvalidValue("duplicated row id");
  return std::nullopt;
}

// Reply buttons and lists; what else is interactive is not looked into.
Verdict CheckInteractive(const json::Value& interactive) {
  const std::string type = String(interactive.Find("type"));
  if (type != "button" && type != "list") return std::nullopt;
  if (!HasLength(interactive.Find("body").Find("text"), kInteractiveBodyMax)) return InvalidValue("body text length");
  const json::Value action = interactive.Find("action");
  return type == "button" ? CheckButtons(action.Find("buttons")) : CheckList(action);
}

Verdict CheckMedia(std::string_view type, const json::Value& media) {
  const bool by_id = !String(media.Find("id")).empty();
  const bool by_link = media.Find("link").exists();
  if (by_id == by_link) return InvalidParameter("Media needs exactly one of id and link.");
  if (by_link && !IsUrl(media.Find("link"))) return InvalidValue("link is not a URL");
  const bool takes_caption = type == "image" || type == "video" || type == "document";
  if (media.Find("caption").exists() && !takes_caption) return InvalidParameter("Unexpected key \"caption\".");
  if (!IsAbsentOrAtMost(media.Find("caption"), kCaptionMax)) return InvalidValue("caption length");
  if (media.Find("filename").exists() && type != "document") return InvalidParameter("Unexpected key \"filename\".");
  return std::nullopt;
}

// "" takes a reaction back. Else no letters, digits and punctuation: U+00A9 is the first emoji, U+2010 to U+2069
// dashes, quotation marks and dots, of which U+203C and U+2049 are emoji.
bool MayBeEmoji(const std::string& text) {
  if (text.empty()) return true;
  const char32_t first = unicode::DecodeUtf8(text, 0).code_point;
  if (first == 0x203C || first == 0x2049) return true;
  return first >= 0xA9 && !unicode::IsLetter(first) && !unicode::IsNumber(first) &&
         (first < 0x2010 || first > 0x2069) && first != 0xAB && first != 0xBB;
}

// channels.md 3.4; what has no such ending is judged by what it is, which nobody fetches here.
bool InstagramTakes(std::string_view type, const std::string& url) {
  static constexpr std::string_view kTakes =
      " image.png image.jpg image.jpeg image.gif audio.aac audio.m4a audio.wav "
      "audio.mp4 video.mp4 video.ogg video.avi video.mov video.webm file.pdf ";
  static constexpr std::string_view kEndings =
      " png jpg jpeg gif webp aac m4a wav mp3 mp4 ogg avi mov webm 3gp pdf doc "
      "docx xls xlsx ppt pptx csv txt ";
  const std::string path = url.substr(0, url.find('?'));
  std::string ending = path.substr(path.rfind('.') + 1);
  absl::AsciiStrToLower(&ending);
  if (kEndings.find(" " + ending + " ") == std::string_view::npos) return true;
  return kTakes.find(base::StrCat(" ", type, ".", ending, " ")) != std::string_view::npos;
}

Verdict CheckTemplate(const json::Value& wanted) {
  if (String(wanted.Find("name")).empty()) return InvalidParameter("The parameter template['name'] is required.");
  if (String(wanted.Find("language").Find("code")).empty())
    return InvalidParameter("The parameter template['language']['code'] is required.");
  return std::nullopt;
}

Verdict CheckQuickReplies(const json::Value& replies) {
  if (!replies.is_array() || replies.size() < 1 || replies.size() > kQuickRepliesMax)
    return InvalidParameter("Param message[quick_replies] must have 1 to 13 items.");
  for (const json::Value reply : replies.items()) {
    if (String(reply.Find("content_type")) != "text") continue;  // the user's phone number, address or place
    if (!HasLength(reply.Find("title"), kQuickReplyTitleMax))
      return InvalidParameter("Param message[quick_replies][title] must be 1 to 20 characters long.");
    if (String(reply.Find("payload")).empty() || String(reply.Find("payload")).size() > kPayloadMax)
      return InvalidParameter("Param message[quick_replies][payload] must be 1 to 1000 characters long.");
  }
  return std::nullopt;
}

}  // namespace

Verdict CheckWhatsAppContent(std::string_view type, const json::Value& content) {
  if (type == "interactive") return CheckInteractive(content);
  if (type == "template") return CheckTemplate(content);
  if (type == "reaction") {
    if (String(content.Find("message_id")).empty() || !content.Find("emoji").AsString())
      return InvalidParameter("The parameters reaction['message_id'] and reaction['emoji'] are required.");
    if (!MayBeEmoji(String(content.Find("emoji")))) return InvalidValue("emoji is not an emoji");
    return std::nullopt;
  }
  static constexpr std::string_view kMedia[] = {"image", "audio", "video", "document", "sticker"};
  return std::ranges::find(kMedia, type) != std::end(kMedia) ? CheckMedia(type, content) : std::nullopt;
}

Verdict CheckMessagingContent(const json::Value& message, bool is_instagram) {
  if (message.Find("quick_replies").exists()) {
    if (Verdict verdict = CheckQuickReplies(message.Find("quick_replies"))) return verdict;
  }
  const json::Value attachment = message.Find("attachment");
  if (!attachment.exists()) return std::nullopt;
  static constexpr std::string_view kTypes[] = {"image", "audio", "video", "file", "template"};
  const std::string type = String(attachment.Find("type"));
  if (std::ranges::find(kTypes, type) == std::end(kTypes))
    return InvalidParameter("Param message[attachment][type] must be one of {image, audio, video, file, template}.");
  const json::Value payload = attachment.Find("payload");
  const bool has_file = IsUrl(payload.Find("url")) || !String(payload.Find("attachment_id")).empty();
  if (type != "template" && !has_file)
    return InvalidParameter("Param message[attachment][payload] must hold a url or an attachment_id.");
  if (is_instagram && !InstagramTakes(type, String(payload.Find("url"))))
    return InvalidParameter("The attachment's type of file is not supported.");
  return std::nullopt;
}

}  // namespace fake_channel_api
