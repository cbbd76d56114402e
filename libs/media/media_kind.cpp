#include "libs/media/media_kind.h"

namespace media {
namespace {

constexpr std::int64_t kMib = 1 << 20;

std::int64_t WhatsAppBytesMax(Kind kind) {
  switch (kind) {
    case Kind::kImage:
      return 5 * kMib;
    case Kind::kSticker:
      return 500 * 1024;
    case Kind::kDocument:
      return 100 * kMib;
    default:
      return 16 * kMib;
  }
}

}  // namespace

std::int64_t BytesMax(mesh::bus::v1::Channel channel, Kind kind) {
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) return WhatsAppBytesMax(kind);
  if (channel == mesh::bus::v1::CHANNEL_INSTAGRAM && kind == Kind::kImage) return 8 * kMib;
  return 25 * kMib;
}

std::string_view Noun(Kind kind) {
  switch (kind) {
    case Kind::kImage:
      return "an image";
    case Kind::kSticker:
      return "a sticker";
    case Kind::kAudio:
      return "a voice or audio message";
    case Kind::kVideo:
      return "a video";
    case Kind::kDocument:
      return "a document";
    case Kind::kStory:
      return "a story";
    case Kind::kNone:
      break;
  }
  return "something";
}

}  // namespace media
