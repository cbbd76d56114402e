#pragma once

#include <string_view>

// Which attachments are files, for whoever loads them, whoever tells a model of them and whoever keeps in a history
// that there were any: what one of them takes for a file the others must, else files of a forgotten history stay.
namespace attachment {

// What an attachment is to a user. kNone has no file that could be fetched: a location, a contact, a link.
enum class Kind { kNone, kImage, kSticker, kAudio, kVideo, kDocument, kStory };

struct FileType {
  std::string_view type;  // the channel's own word for the attachment (channels.md 2.1 to 2.3)
  Kind kind;
};

inline constexpr FileType kFileTypes[] = {
    {"image", Kind::kImage}, {"sticker", Kind::kSticker},   {"audio", Kind::kAudio},   {"voice", Kind::kAudio},
    {"video", Kind::kVideo}, {"document", Kind::kDocument}, {"file", Kind::kDocument}, {"story_mention", Kind::kStory},
};

constexpr Kind KindOf(std::string_view type) {
  for (const FileType& file : kFileTypes) {
    if (file.type == type) return file.kind;
  }
  return Kind::kNone;
}

// How every sentence about a file begins, in prompts and in histories, where it tells that there was one.
inline constexpr std::string_view kTheUserSent = "[The user sent ";

}  // namespace attachment
