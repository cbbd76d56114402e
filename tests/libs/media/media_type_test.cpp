#include "libs/media/media_type.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace media {
namespace {

using std::string_view_literals::operator""sv;

TEST(MediaTypeTest, BytesSayWhatTheyAre) {
  struct Sample {
    std::string_view bytes;
    std::string_view type;
  };
  for (const Sample& sample : {
           Sample{"\xFF\xD8\xFF\xE0\0\x10JFIF"sv, "image/jpeg"},
           {"\x89PNG\r\n\x1A\n\0\0\0\rIHDR"sv, "image/png"},
           {"GIF89a"sv, "image/gif"},
           {"RIFF\x24\0\0\0WEBPVP8 "sv, "image/webp"},
           {"RIFF\x24\0\0\0WAVEfmt "sv, "audio/wav"},
           {"OggS\0\x02"sv, "audio/ogg"},
           {"#!AMR\n"sv, "audio/amr"},
           {"ID3\x04"sv, "audio/mpeg"},
           {"\xFF\xFB\x90\x64"sv, "audio/mpeg"},
           {"\xFF\xF1\x50\x80"sv, "audio/aac"},
           {"\xFF\xF9\x50\x80"sv, "audio/aac"},
           {"\0\0\0\x20"
            "ftypM4A \0\0"sv,
            "audio/mp4"},
           {"\0\0\0\x20"
            "ftypisom\0\0"sv,
            "video/mp4"},
           {"\0\0\0\x14"
            "ftyp3gp5"sv,
            "video/3gpp"},
           {"\x1A\x45\xDF\xA3"sv, "video/webm"},
           {"%PDF-1.7"sv, "application/pdf"},
           {"PK\x03\x04\x14"sv, "application/zip"},
           {"\x1F\x8B\x08"sv, "application/gzip"},
           {"<!doctype html>"sv, ""},
           {"MZ\x90"sv, ""},
           {"\x7F"
            "ELF"sv,
            ""},
           {"RIFF"sv, ""},
           {"\xFF"sv, ""},
           {"\xFF\xD8"sv, ""},
           {"\xFF\xFF\xFF\xFF"sv, ""},
           {""sv, ""},
       }) {
    EXPECT_EQ(SniffType(sample.bytes), sample.type) << sample.type << " of " << sample.bytes.size() << " bytes";
  }
}

TEST(MediaTypeTest, AFileMustBeOfItsKind) {
  EXPECT_TRUE(TypeFits(Kind::kImage, "image/jpeg", "image/jpeg"));
  EXPECT_TRUE(TypeFits(Kind::kImage, "image/jpeg", "image/png")) << "still a picture, and decoded as what it is";
  EXPECT_TRUE(TypeFits(Kind::kImage, "", "image/webp")) << "Messenger announces nothing";
  EXPECT_TRUE(TypeFits(Kind::kAudio, "audio/ogg; codecs=opus", "audio/ogg"));
  EXPECT_TRUE(TypeFits(Kind::kAudio, "audio/mp4", "video/mp4")) << "a container may hold sound alone";
  EXPECT_TRUE(TypeFits(Kind::kVideo, "video/mp4", "video/mp4"));
  EXPECT_TRUE(TypeFits(Kind::kSticker, "image/webp", "image/webp"));
  EXPECT_TRUE(TypeFits(Kind::kStory, "", "video/mp4"));
  for (const std::string_view sniffed :
       {"", "application/zip", "application/gzip", "application/pdf", "audio/ogg", "video/mp4"}) {
    EXPECT_FALSE(TypeFits(Kind::kImage, "image/png", sniffed)) << sniffed;
  }
  EXPECT_FALSE(TypeFits(Kind::kAudio, "audio/ogg", "image/png"));
  EXPECT_FALSE(TypeFits(Kind::kVideo, "video/mp4", "audio/ogg"));
  EXPECT_FALSE(TypeFits(Kind::kImage, "video/mp4", "image/png")) << "announced as something else";
  EXPECT_FALSE(TypeFits(Kind::kNone, "", "image/png"));
}

TEST(MediaTypeTest, ADocumentMustNotContradictItsAnnouncement) {
  EXPECT_TRUE(TypeFits(Kind::kDocument, "application/pdf", "application/pdf"));
  EXPECT_TRUE(TypeFits(Kind::kDocument, "APPLICATION/PDF ; x=y", "application/pdf"));
  EXPECT_TRUE(TypeFits(Kind::kDocument, "text/plain", ""));
  EXPECT_TRUE(TypeFits(Kind::kDocument, "application/vnd.ms-excel", ""));
  EXPECT_TRUE(TypeFits(Kind::kDocument, "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                       "application/zip"));
  EXPECT_TRUE(TypeFits(Kind::kDocument, "", "application/gzip"));
  EXPECT_FALSE(TypeFits(Kind::kDocument, "application/pdf", ""));
  EXPECT_FALSE(TypeFits(Kind::kDocument, "application/pdf", "application/zip"));
  EXPECT_FALSE(TypeFits(Kind::kDocument, "text/plain", "application/gzip"));
  EXPECT_FALSE(TypeFits(Kind::kDocument, "image/jpeg", ""));
}

TEST(MediaKindTest, WhatHasNoFileIsNotFetched) {
  for (const char* type :
       {"location", "contacts", "order", "template", "fallback", "share", "reel", "ig_reel", "like_heart", ""}) {
    EXPECT_EQ(KindOf(type), Kind::kNone) << type;
  }
  for (const attachment::FileType& file : attachment::kFileTypes) {
    EXPECT_NE(KindOf(file.type), Kind::kNone) << file.type;
    EXPECT_NE(Noun(file.kind), Noun(Kind::kNone)) << file.type << ": the model is told what it is";
  }
  EXPECT_EQ(KindOf("voice"), Kind::kAudio);
  EXPECT_EQ(KindOf("file"), Kind::kDocument);
  EXPECT_EQ(BytesMax(mesh::bus::v1::CHANNEL_WHATSAPP, Kind::kImage), 5 << 20);
  EXPECT_EQ(BytesMax(mesh::bus::v1::CHANNEL_INSTAGRAM, Kind::kImage), 8 << 20);
  EXPECT_EQ(BytesMax(mesh::bus::v1::CHANNEL_MESSENGER, Kind::kImage), 25 << 20);
}

}  // namespace
}  // namespace media
