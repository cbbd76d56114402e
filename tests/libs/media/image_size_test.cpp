#include "libs/media/image_size.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace media {
namespace {

using std::string_literals::operator""s;

const std::string kPng = "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08\x02\0\0\0"s;
const std::string kGif = "GIF89a\x40\x01\xF0\0\x80"s;
const std::string kJpeg =  // a thumbnail inside APP1, which must not count, a fill byte, then the frame: 640 x 480
    "\xFF\xD8\xFF\xE1\0\x0B\xFF\xC0\0\x11\x08\0\x01\0\x01\xFF\xFF\xC2\0\x11\x08\x01\xE0\x02\x80\x03"s;
const std::string kLossy = "RIFF\0\0\0\0WEBPVP8 \0\0\0\0\x30\x01\0\x9D\x01\x2A\x20\x03\x58\x42\0\0"s;  // scale bits set
const std::string kLossless = "RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2F\x63\xC0\x0C\0\0\0\0\0\0"s;
const std::string kExtended = "RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\x10\0\0\0\xFF\xFF\xFF\0\0\0"s;

struct Sample {
  std::string_view type;
  const std::string* bytes;
  std::uint32_t width;
  std::uint32_t height;
};
const Sample kSamples[] = {{"image/png", &kPng, 1024, 768},     {"image/gif", &kGif, 320, 240},
                           {"image/jpeg", &kJpeg, 640, 480},    {"image/webp", &kLossy, 800, 600},
                           {"image/webp", &kLossless, 100, 52}, {"image/webp", &kExtended, 1 << 24, 1}};

TEST(ImageSizeTest, TheHeaderSaysIt) {
  for (const Sample& sample : kSamples) {
    const std::optional<ImageSize> size = ReadImageSize(sample.type, *sample.bytes);
    ASSERT_TRUE(size) << sample.type;
    EXPECT_EQ(size->width, sample.width) << sample.type;
    EXPECT_EQ(size->height, sample.height) << sample.type;
  }
}

TEST(ImageSizeTest, ACutHeaderSaysNothing) {
  for (const Sample& sample : kSamples) {
    for (std::size_t length = 0; length < sample.bytes->size(); ++length) {
      const std::optional<ImageSize> size = ReadImageSize(sample.type, sample.bytes->substr(0, length));
      if (size) {
        EXPECT_EQ(size->width, sample.width) << sample.type << " cut at " << length;
      }
    }
    EXPECT_FALSE(ReadImageSize(sample.type, sample.bytes->substr(0, 9)));
  }
}

TEST(ImageSizeTest, TheWidestImageDoesNotOverflow) {
  const std::string bomb = kPng.substr(0, 16) + "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x08\x02\0\0\0"s;
  EXPECT_EQ(ReadImageSize("image/png", bomb)->pixels(), 0xFFFFFFFFull * 0xFFFFFFFFull);
}

TEST(ImageSizeTest, NoSideIsNothing) {
  EXPECT_FALSE(ReadImageSize("image/png", kPng.substr(0, 16) + "\0\0\0\0\0\0\x03\0\x08"s));
  EXPECT_FALSE(ReadImageSize("image/gif", "GIF89a\0\0\x01\0\0"s));
  EXPECT_FALSE(ReadImageSize("image/tiff", kPng));
}

// Segments of the least length: the walk ends, whatever the file's size.
TEST(ImageSizeTest, AJpegOfNothingButSegmentsEnds) {
  std::string bytes = "\xFF\xD8";
  for (int i = 0; i < 100'000; ++i) bytes += "\xFF\xE0\0\x02"s;
  EXPECT_FALSE(ReadImageSize("image/jpeg", bytes));
}

}  // namespace
}  // namespace media
