// What becomes of each kind of part on each channel, and its bytes on the wire. What Meta takes of them is judged by
// the fake Graph API (tests/loadtest/fake_channel_api/codec_sends_test.cpp) and by SDKs of others (tests/foreign).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/channel/internal/split_text.h"

namespace channel {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using mesh::bus::v1::OutboundPart;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kImage[] = "https://cdn.example.com/a_b.png";

OutboundPart Media(const std::string& type, const std::string& link, const std::string& caption = "") {
  OutboundPart part;
  part.mutable_media()->set_type(type);
  part.mutable_media()->set_link(link);
  part.mutable_media()->set_caption(caption);
  return part;
}

OutboundPart Choices(const std::string& question, const std::vector<std::string>& titles) {
  OutboundPart part;
  part.mutable_choices()->set_text(question);
  for (const std::string& title : titles) part.mutable_choices()->add_choices()->set_title(title);
  return part;
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> titles;
  for (int number = 1; number <= count; ++number) titles.push_back(base::StrCat("no. ", number));
  return titles;
}

OutboundPart Reaction(const std::string& message_id) {
  OutboundPart part;
  part.mutable_reaction()->set_message_id(message_id);
  part.mutable_reaction()->set_emoji("\U0001F44D");
  return part;
}

OutboundPart Template() {
  OutboundPart part;
  part.mutable_template_()->set_name("come_back");
  part.mutable_template_()->set_language("en_US");
  part.mutable_template_()->add_body_parameters("Ada");
  return part;
}

// The part's own bytes: what stands between the envelope's first and last fields.
std::vector<std::string> Sent(mesh::bus::v1::Channel channel, const OutboundPart& part) {
  account::Account account;
  account.channel = channel;
  account.account_id = "1";
  const Codec& codec = *FindCodec(channel);
  std::vector<std::string> bodies;
  for (const OutboundPart& fitted : codec.Fit(part)) {
    std::string body = codec.EncodePart(account, "1650", fitted, "", "").body;
    EXPECT_THAT(body,
                testing::Not(testing::AnyOf(HasSubstr("HUMAN_AGENT"), HasSubstr("MESSAGE_TAG"), HasSubstr("\"tag\""))));
    const std::string begin = channel == CHANNEL_WHATSAPP ? R"("to":"1650",)" : R"("message":{)";
    body.erase(0, body.find(begin) + begin.size());
    body.resize(body.size() - (channel == CHANNEL_WHATSAPP ? 1 : 2));
    bodies.push_back(std::move(body));
  }
  return bodies;
}

std::string TextOnWhatsApp(const std::string& text) {
  return base::StrCat(R"("type":"text","text":{"body":")", text, R"("})");
}
std::string TextElsewhere(const std::string& text) { return base::StrCat(R"("text":")", text, "\""); }

TEST(PartTest, MediaOnWhatsAppCarriesItsCaption) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Media("image", kImage, "**Plan**")),
              ElementsAre(R"("type":"image","image":{"link":"https://cdn.example.com/a_b.png","caption":"*Plan*"})"));
  OutboundPart document = Media("file", "https://cdn.example.com/a.pdf");
  document.mutable_media()->set_file_name("a.pdf");
  EXPECT_THAT(
      Sent(CHANNEL_WHATSAPP, document),
      ElementsAre(R"("type":"document","document":{"link":"https://cdn.example.com/a.pdf","filename":"a.pdf"})"));
  OutboundPart uploaded = Media("video", "https://cdn.example.com/a.mp4");
  uploaded.mutable_media()->set_id("147");
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, uploaded), ElementsAre(R"("type":"video","video":{"id":"147"})"));
}

TEST(PartTest, ACaptionThatTheFileCannotCarryIsSaidBeforeIt) {
  EXPECT_THAT(
      Sent(CHANNEL_WHATSAPP, Media("audio", "https://cdn.example.com/a.mp3", "Listen")),
      ElementsAre(TextOnWhatsApp("Listen"), R"("type":"audio","audio":{"link":"https://cdn.example.com/a.mp3"})"));
  const std::string longest(1024, 'x');
  EXPECT_EQ(Sent(CHANNEL_WHATSAPP, Media("image", kImage, longest)).size(), 1u);
  EXPECT_EQ(Sent(CHANNEL_WHATSAPP, Media("image", kImage, longest + "x")).size(), 2u);
  for (const auto channel : {CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    EXPECT_THAT(Sent(channel, Media("image", kImage, "**Plan**")),
                ElementsAre(TextElsewhere("Plan"),
                            R"("attachment":{"type":"image","payload":{"url":"https://cdn.example.com/a_b.png"}})"));
  }
}

TEST(PartTest, AFileThatAChannelCannotCarryBecomesItsAddress) {
  const OutboundPart sheet = Media("document", "https://cdn.example.com/a_b_c.xlsx", "Prices");
  EXPECT_THAT(Sent(CHANNEL_INSTAGRAM, sheet),
              ElementsAre(TextElsewhere("Prices\\nhttps://cdn.example.com/a_b_c.xlsx")));
  EXPECT_THAT(Sent(CHANNEL_MESSENGER, sheet),
              ElementsAre(TextElsewhere("Prices"), HasSubstr(R"("attachment":{"type":"file")")));
  EXPECT_THAT(Sent(CHANNEL_INSTAGRAM, Media("document", "https://cdn.example.com/a.PDF?v=1.2")),
              ElementsAre(HasSubstr(R"("attachment":{"type":"file")")));
  for (const auto& [type, ending] : {std::pair{"audio", "mp3"}, {"audio", "ogg"}, {"video", "3gp"}, {"image", "x"}}) {
    const std::string link = base::StrCat("https://cdn.example.com/a.", ending);
    EXPECT_THAT(Sent(CHANNEL_INSTAGRAM, Media(type, link)), ElementsAre(TextElsewhere(link)));
    EXPECT_THAT(Sent(CHANNEL_MESSENGER, Media(type, link)), ElementsAre(HasSubstr("attachment")));
  }
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Media("hologram", kImage)), ElementsAre(TextOnWhatsApp(kImage)));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Media("image", "http://cdn.example.com/a.png")),
              ElementsAre(TextOnWhatsApp("http://cdn.example.com/a.png")));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Media("image", "")), IsEmpty());
}

TEST(PartTest, UpToThreeChoicesAreButtonsOnWhatsApp) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("**Tea** or coffee?", {"Tea", "Coffee"})),
              ElementsAre(R"("type":"interactive","interactive":{"type":"button","body":{"text":"*Tea* or coffee?"},)"
                          R"("action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Tea"}},)"
                          R"({"type":"reply","reply":{"id":"2","title":"Coffee"}}]}})"));
}

TEST(PartTest, MoreChoicesAreAListAndTheTitleThatIsCutIsSaidBelow) {
  OutboundPart four = Choices("Which?", {"a", "b", "c", "one that is longer than a row's title"});
  EXPECT_THAT(
      Sent(CHANNEL_WHATSAPP, four),
      ElementsAre(
          R"("type":"interactive","interactive":{"type":"list","body":{"text":"Which?"},"action":{"button":"▼",)"
          R"("sections":[{"rows":[{"id":"1","title":"a"},{"id":"2","title":"b"},{"id":"3","title":"c"},)"
          "{\"id\":\"4\",\"title\":\"one that is longer than…\","
          R"("description":"one that is longer than a row's title"}]}]}})"));
  OutboundPart named = Choices("Which?", {"a"});
  named.mutable_choices()->set_list_button("Open");
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, named), ElementsAre(HasSubstr(R"("button":"Open")")));
}

TEST(PartTest, ATitleThatIsTooLongForAButtonMakesAList) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("Tea?", {"Yes", "No, I would rather have coffee"})),
              ElementsAre(testing::AllOf(HasSubstr(R"("type":"list")"),
                                         HasSubstr(R"("description":"No, I would rather have coffee")"))));
}

TEST(PartTest, ChoicesElsewhereAreQuickReplies) {
  for (const auto channel : {CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    EXPECT_THAT(Sent(channel, Choices("Tea?", {"Yes", "No"})),
                ElementsAre(R"("text":"Tea?","quick_replies":[{"content_type":"text","title":"Yes","payload":"1"},)"
                            R"({"content_type":"text","title":"No","payload":"2"}])"));
    EXPECT_THAT(Sent(channel, Choices("Which?", Numbers(13))), ElementsAre(HasSubstr("quick_replies")));
  }
}

TEST(PartTest, ChoicesThatCannotBePressedAreNumbered) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("Which?", Numbers(10))), ElementsAre(HasSubstr("\"list\"")));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("Which?", Numbers(11))),
              ElementsAre(HasSubstr("Which?\\n\\n1. no. 1\\n2. no. 2\\n")));
  EXPECT_THAT(Sent(CHANNEL_MESSENGER, Choices("Which?", Numbers(14))), ElementsAre(HasSubstr("\\n14. no. 14")));
  // Two rows that read alike.
  EXPECT_THAT(
      Sent(CHANNEL_WHATSAPP, Choices("Which?", {"The one with the dark red ribbon", "The one with the dark red rose"})),
      ElementsAre(
          TextOnWhatsApp("Which?\\n\\n1. The one with the dark red ribbon\\n2. The one with the dark red rose")));
  // Titles of which nobody could read the rest.
  EXPECT_THAT(Sent(CHANNEL_MESSENGER, Choices("Tea?", {"Yes", "No, I would rather have coffee"})),
              ElementsAre(TextElsewhere("Tea?\\n\\n1. Yes\\n2. No, I would rather have coffee")));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("Tea?", {std::string(73, 'x')})), ElementsAre(HasSubstr("1. xxx")));
  OutboundPart described = Choices("Tea?", {"No, I would rather have coffee"});
  described.mutable_choices()->mutable_choices(0)->set_description("with milk");
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, described),
              ElementsAre(TextOnWhatsApp("Tea?\\n\\n1. No, I would rather have coffee: with milk")));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("", {"Yes"})), ElementsAre(TextOnWhatsApp("1. Yes")));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Choices("Hm.", {})), ElementsAre(TextOnWhatsApp("Hm.")));
}

TEST(PartTest, TitlesAreCutBetweenGraphemes) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";  // one picture, five code points
  const auto fitted = FindCodec(CHANNEL_WHATSAPP)->Fit(Choices("Who?", {"of-twenty-two-letters-" + family, "x"}));
  ASSERT_EQ(fitted.size(), 1u);
  EXPECT_EQ(fitted[0].choices().choices(0).title(), "of-twenty-two-letters-\u2026");
  EXPECT_EQ(fitted[0].choices().choices(0).description(), "of-twenty-two-letters-" + family);
}

TEST(PartTest, AQuestionThatIsTooLongIsSaidInFront) {
  std::string question;
  for (int sentence = 0; sentence < 60; ++sentence)
    question += base::StrCat("This is sentence number ", sentence, ". ");
  const auto fitted = FindCodec(CHANNEL_WHATSAPP)->Fit(Choices(question, {"Yes", "No"}));
  ASSERT_EQ(fitted.size(), 2u);
  EXPECT_TRUE(fitted[0].has_text());
  EXPECT_THAT(fitted[1].choices().text(), HasSubstr("number 59."));
}

TEST(PartTest, OwnIdsStayWhereTheyTellTheChoicesApart) {
  OutboundPart part = Choices("Which?", {"a", "b"});
  part.mutable_choices()->mutable_choices(0)->set_id("first");
  part.mutable_choices()->mutable_choices(1)->set_id("second");
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, part), ElementsAre(HasSubstr(R"("id":"first")")));
  part.mutable_choices()->mutable_choices(1)->set_id("first");
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, part), ElementsAre(HasSubstr(R"("id":"2")")));
}

TEST(PartTest, AReactionIsWhatsAppsAndAnEmojiElsewhere) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Reaction("wamid.Q")),
              ElementsAre("\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.Q\",\"emoji\":\"\U0001F44D\"}"));
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Reaction("derived:00")), ElementsAre(TextOnWhatsApp("\U0001F44D")));
  EXPECT_THAT(Sent(CHANNEL_INSTAGRAM, Reaction("m_1")), ElementsAre(TextElsewhere("\U0001F44D")));
  // It names its message itself.
  account::Account account;
  const auto request = FindCodec(CHANNEL_WHATSAPP)->EncodePart(account, "1", Reaction("wamid.Q"), "wamid.Q", "");
  EXPECT_THAT(request.body, testing::Not(HasSubstr("context")));
}

TEST(PartTest, ATemplateIsWhatsAppsAlone) {
  EXPECT_THAT(Sent(CHANNEL_WHATSAPP, Template()),
              ElementsAre(R"("type":"template","template":{"name":"come_back","language":{"code":"en_US"},)"
                          R"("components":[{"type":"body","parameters":[{"type":"text","text":"Ada"}]}]})"));
  EXPECT_THAT(Sent(CHANNEL_MESSENGER, Template()), IsEmpty());
  EXPECT_THAT(Sent(CHANNEL_INSTAGRAM, Template()), IsEmpty());
}

TEST(PartTest, TheReplyIdTravelsWithEveryKindThatHasAFieldForIt) {
  account::Account account;
  const std::string id(64, 'a');
  for (const OutboundPart& part : {Media("image", kImage), Choices("Tea?", {"Yes"}), Reaction("wamid.Q")}) {
    const Codec& whatsapp = *FindCodec(CHANNEL_WHATSAPP);
    const auto body = whatsapp.EncodePart(account, "1", whatsapp.Fit(part).back(), "wamid.Q", id).body;
    EXPECT_THAT(body, HasSubstr(R"("biz_opaque_callback_data":")" + id));
    const Codec& messenger = *FindCodec(CHANNEL_MESSENGER);
    EXPECT_THAT(messenger.EncodePart(account, "1", messenger.Fit(part).back(), "", id).body,
                HasSubstr(R"("metadata":")" + id));
    const Codec& instagram = *FindCodec(CHANNEL_INSTAGRAM);
    EXPECT_THAT(instagram.EncodePart(account, "1", instagram.Fit(part).back(), "", id).body,
                testing::Not(HasSubstr(id)));
  }
}

TEST(CutTextTest, KeepsWhatFitsAndEndsWithAnEllipsis) {
  EXPECT_EQ(CutText("short", {LengthUnit::kCodePoints, 5}), "short");
  EXPECT_EQ(CutText("longer", {LengthUnit::kCodePoints, 5}), "long\u2026");
  EXPECT_EQ(CutText("longer", {LengthUnit::kBytes, 5}), "lo\u2026");
  EXPECT_EQ(CutText("", {LengthUnit::kBytes, 5}), "");
  EXPECT_EQ(CutText("\xFF", {LengthUnit::kBytes, 5}), "\uFFFD");
}

}  // namespace
}  // namespace channel
