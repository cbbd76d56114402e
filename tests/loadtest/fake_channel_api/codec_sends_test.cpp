// What the codecs make of a part, the platform takes. The fake Graph API is the judge here: it checks what Meta checks
// and shares no code with them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "libs/channel/codec.h"
#include "loadtest/fake_channel_api/send_rules.h"

namespace fake_channel_api {
namespace {

using mesh::bus::v1::OutboundPart;

// Parts of every kind with texts of all sizes, also such that no channel can send.
class RandomParts {
 public:
  explicit RandomParts(std::uint32_t seed) : rng_(seed) {}

  OutboundPart Next() {
    OutboundPart part;
    switch (Below(5)) {
      case 0:
        part.set_text(Text());
        break;
      case 1: {
        auto& media = *part.mutable_media();
        media.set_type(Pick({"image", "audio", "video", "document", "file", "sticker", "hologram", ""}));
        media.set_link(Pick({"https://a.example/x.png", "https://a.example/x.pdf?y=1", "http://a.example/x", "x", ""}));
        media.set_id(Pick({"", "", "147"}));
        media.set_caption(Text());
        media.set_file_name(Text());
        break;
      }
      case 2: {
        auto& choices = *part.mutable_choices();
        choices.set_text(Text());
        choices.set_list_button(Pick({"", "", "Open", "a name that is longer than any button"}));
        for (std::size_t left = Below(16); left > 0; --left) {
          auto& choice = *choices.add_choices();
          choice.set_id(Pick({"", "one", "two", "three"}));
          choice.set_title(Below(3) == 0 ? Text() : std::to_string(left));
          if (Below(4) == 0) choice.set_description(Text());
        }
        break;
      }
      case 3:
        part.mutable_reaction()->set_message_id(Pick({"wamid.Q", "derived:00", ""}));
        part.mutable_reaction()->set_emoji(Pick({"\U0001F44D", "\u2764\uFE0F"}));
        break;
      default:
        part.mutable_template_()->set_name(Pick({"come_back", ""}));
        part.mutable_template_()->set_language(Pick({"en_US", ""}));
        for (std::size_t left = Below(3); left > 0; --left) part.mutable_template_()->add_body_parameters(Text());
    }
    return part;
  }

 private:
  std::size_t Below(std::size_t end) { return rng_() % end; }
  std::string Pick(std::initializer_list<const char*> from) { return *(from.begin() + Below(from.size())); }
  std::string Text() {
    static constexpr std::string_view kPieces[] = {
        "word", " ",      "\n", "**bold** ", "\u00e9", "\xFF",
        "- ",   "\u6587", ". ", "`x`",       "\n\n",   "\U0001F468\u200D\U0001F469\u200D\U0001F467"};
    static constexpr std::size_t kLengths[] = {0, 1, 3, 30, 400, 2000};
    std::string text;
    for (std::size_t left = kLengths[Below(std::size(kLengths))]; left > 0; --left) {
      text += kPieces[Below(std::size(kPieces))];
    }
    return text;
  }

  std::mt19937 rng_;
};

// Method: 3,000 random parts a channel from a fixed seed, each fitted, encoded and judged.
TEST(CodecSendsTest, WhateverThePartWhatIsSentOfItIsTakenAndCarriesNoTag) {
  for (const auto channel :
       {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER, mesh::bus::v1::CHANNEL_INSTAGRAM}) {
    const channel::Codec& codec = *channel::FindCodec(channel);
    account::Account account;
    account.channel = channel;
    account.account_id = "1";
    RandomParts random(/*seed=*/6);
    for (int round = 0; round < 3000; ++round) {
      const OutboundPart part = random.Next();
      const auto fitted = codec.Fit(part);
      ASSERT_LE(fitted.size(), channel::kTextPartsMax + 1) << part.ShortDebugString();
      for (const OutboundPart& sent : fitted) {
        const std::string body = codec.EncodePart(account, "16505551234", sent, "wamid.Q", std::string(64, 'a')).body;
        const auto judged = CheckBody(body, channel);
        ASSERT_TRUE(std::holds_alternative<Send>(judged))
            << body << " is refused: " << std::get<GraphError>(judged).message << std::get<GraphError>(judged).details;
        ASSERT_EQ(body.find("HUMAN_AGENT"), std::string::npos);
        ASSERT_EQ(body.find("MESSAGE_TAG"), std::string::npos);
        ASSERT_EQ(body.find("\"tag\""), std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace fake_channel_api
