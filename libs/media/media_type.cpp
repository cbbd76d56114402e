#include "libs/media/media_type.h"

#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"

namespace media {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view type;
};

constexpr Magic kMagics[] = {
    {0, "\xFF\xD8\xFF"sv, "image/jpeg"},   {0, "\x89PNG\r\n\x1A\n"sv, "image/png"},
    {0, "GIF87a"sv, "image/gif"},          {0, "GIF89a"sv, "image/gif"},
    {0, "%PDF-"sv, "application/pdf"},     {0, "PK\x03\x04"sv, "application/zip"},
    {0, "\x1F\x8B"sv, "application/gzip"}, {0, "OggS"sv, "audio/ogg"},
    {0, "#!AMR"sv, "audio/amr"},           {0, "ID3"sv, "audio/mpeg"},
    {0, "fLaC"sv, "audio/flac"},           {0, "\x1A\x45\xDF\xA3"sv, "video/webm"},
    {4, "ftypM4A"sv, "audio/mp4"},         {4, "ftyp3g"sv, "video/3gpp"},
    {4, "ftypqt"sv, "video/quicktime"},    {4, "ftyphei"sv, "image/heic"},
    {4, "ftypavif"sv, "image/avif"},       {4, "ftyp"sv, "video/mp4"},
};

bool HasAt(std::string_view bytes, std::size_t offset, std::string_view what) {
  return bytes.size() >= offset + what.size() && bytes.substr(offset, what.size()) == what;
}

// Frames without a container begin with a sync word of 11 or 12 bits (MPEG layers, AAC in ADTS).
std::string_view SniffFrameSync(std::string_view bytes) {
  if (bytes.size() < 3 || static_cast<unsigned char>(bytes[0]) != 0xFF) return "";
  const auto second = static_cast<unsigned char>(bytes[1]);
  if ((second & 0xF6) == 0xF0) return "audio/aac";
  const bool is_layer = (second & 0xE0) == 0xE0 && (second & 0x06) != 0;
  const auto third = static_cast<unsigned char>(bytes[2]);
  const bool has_rates =
      (third & 0xF0) != 0xF0 && (third & 0x0C) != 0x0C;  // neither bit rate nor sampling rate is reserved
  return is_layer && has_rates ? "audio/mpeg" : "";
}

std::string_view Family(std::string_view type) { return type.substr(0, type.find('/')); }

std::string WithoutParameters(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  absl::AsciiStrToLower(&type);
  return type;
}

bool IsSoundOrPicture(std::string_view family) { return family == "image" || family == "audio" || family == "video"; }

bool DocumentFits(std::string_view announced, std::string_view sniffed) {
  if (announced == "application/pdf") return sniffed == "application/pdf";
  if (IsSoundOrPicture(Family(announced))) return Family(sniffed) == Family(announced);
  return !announced.starts_with("text/") || sniffed.empty();
}

}  // namespace

std::string_view SniffType(std::string_view bytes) {
  if (HasAt(bytes, 0, "RIFF")) {
    if (HasAt(bytes, 8, "WEBP")) return "image/webp";
    if (HasAt(bytes, 8, "WAVE")) return "audio/wav";
    if (HasAt(bytes, 8, "AVI ")) return "video/avi";
  }
  for (const Magic& magic : kMagics) {
    if (HasAt(bytes, magic.offset, magic.bytes)) return magic.type;
  }
  return SniffFrameSync(bytes);
}

bool TypeFits(Kind kind, std::string_view announced_as, std::string_view sniffed) {
  const std::string announced = WithoutParameters(announced_as);
  const std::string_view family = Family(sniffed);
  // What a container of moving pictures holds may be sound alone.
  const bool may_be_audio =
      family == "audio" || sniffed == "video/mp4" || sniffed == "video/3gpp" || sniffed == "video/webm";
  switch (kind) {
    case Kind::kImage:
    case Kind::kSticker:
      if (family != "image") return false;
      break;
    case Kind::kAudio:
      return may_be_audio && Family(announced) != "image";
    case Kind::kVideo:
      if (family != "video") return false;
      break;
    case Kind::kStory:
      if (family != "image" && family != "video") return false;
      break;
    case Kind::kDocument:
      return DocumentFits(announced, sniffed);
    case Kind::kNone:
      return false;
  }
  return !IsSoundOrPicture(Family(announced)) || Family(announced) == family;
}

}  // namespace media
