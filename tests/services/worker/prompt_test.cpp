#include "services/worker/prompt.h"

#include <gtest/gtest.h>

namespace worker {
namespace {

using engine::Role;

mesh::bus::v1::Turn TextTurn(std::string text) {
  mesh::bus::v1::Turn turn;
  turn.set_turn_id(std::string(32, '\1'));
  turn.set_type("text");
  turn.set_text(std::move(text));
  return turn;
}

TEST(PromptTest, MessagesAreSystemPromptThenHistoryThenTheNewMessage) {
  account::Account account;
  account.system_prompt = "Be brief.";
  mesh::session::v1::LoadContextResponse loaded;
  loaded.add_history()->set_user_text("Hi");
  loaded.mutable_history(0)->set_reply_text("Hello!");

  const engine::GenerationRequest request = BuildGenerationRequest(account, TextTurn("How are you?"), loaded);

  ASSERT_EQ(request.messages.size(), 4u);
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.messages[1].content, "Hi");
  EXPECT_EQ(request.messages[2].role, Role::kAssistant);
  EXPECT_EQ(request.messages[3].content, "How are you?");
}

TEST(PromptTest, WhatWasNeverAnsweredJoinsTheNextMessage) {
  mesh::session::v1::LoadContextResponse loaded;
  loaded.add_history()->set_user_text("Are you there?");  // its reply was not seen
  const engine::GenerationRequest request = BuildGenerationRequest(account::Account{}, TextTurn("Hello?"), loaded);
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.messages[0].content, "Are you there?\nHello?");
}

TEST(PromptTest, TheDisclosureIsNotTheModelsWayToSpeak) {
  account::Account account;
  account.disclosure_text = "I am a machine.";
  mesh::session::v1::LoadContextResponse loaded;
  loaded.add_history()->set_user_text("Hi");
  loaded.mutable_history(0)->set_reply_text("I am a machine.\n\nHello!");
  const engine::GenerationRequest request = BuildGenerationRequest(account, TextTurn("How are you?"), loaded);
  ASSERT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(request.messages[1].content, "Hello!");
}

TEST(PromptTest, AnEmptySystemPromptIsNoMessage) {
  const engine::GenerationRequest request = BuildGenerationRequest(account::Account{}, TextTurn("Hi"), {});
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.messages[0].role, Role::kUser);
}

// Counts a token a byte, and generates nothing.
class SmallEngine final : public engine::Engine {
 public:
  absl::StatusOr<engine::SequenceId> Submit(engine::GenerationRequest, engine::ResultCallback) override {
    return absl::UnimplementedError("");
  }
  void Cancel(engine::SequenceId) override {}
  engine::Credit credit() const override { return {}; }
  std::int32_t CountTokens(std::string_view text) const override { return static_cast<std::int32_t>(text.size()); }
  std::int32_t context_tokens_max() const override { return 1000; }
  std::string model_name() const override { return "small"; }
  std::string device_name() const override { return "cpu"; }
  engine::EngineStats stats() const override { return {}; }
  bool alive() const override { return true; }
};

TEST(PromptTest, AnAccountThatAllowsLongerAnswersThanTheContextGetsWhatTheContextHolds) {
  const SmallEngine engine;
  account::Account account;
  account.history_tokens_max = 100'000;
  account.answer_tokens_max = 300;
  EXPECT_EQ(AnswerTokensMax(account, engine), 300);
  const std::int32_t room = HistoryTokensMax(account, TextTurn("Hi"), engine);
  account.answer_tokens_max = 16'000;
  EXPECT_EQ(AnswerTokensMax(account, engine), 1000);
  EXPECT_EQ(HistoryTokensMax(account, TextTurn("Hi"), engine), room - 200) << "half of the context is the answer's";
}

TEST(PromptTest, AMessageThatLeavesTheAnswerLessThanItsRoomIsTooLong) {
  const SmallEngine engine;  // a context of 1,000; system prompt, message and the answer's frame cost 8 each
  account::Account account;
  account.answer_tokens_max = 100;
  const int message_max = 1000 - 3 * 8 - 100;
  EXPECT_FALSE(LeavesNoRoomForAnswer(account, TextTurn(std::string(message_max, 'x')), engine));
  EXPECT_TRUE(LeavesNoRoomForAnswer(account, TextTurn(std::string(message_max + 1, 'x')), engine));
  account.answer_tokens_max = 16'000;
  EXPECT_FALSE(LeavesNoRoomForAnswer(account, TextTurn(std::string(1000 - 3 * 8 - 250, 'x')), engine));
  EXPECT_TRUE(LeavesNoRoomForAnswer(account, TextTurn(std::string(1000 - 3 * 8 - 249, 'x')), engine));
}

TEST(PromptTest, ATurnWithoutTextNamesWhatCame) {
  mesh::bus::v1::Turn turn = TextTurn("");
  turn.set_type("sticker");
  EXPECT_EQ(UserText(turn), "[The user sent something without text: sticker]");
}

TEST(PromptTest, TheSameTurnDrawsTheSameSeedAndAnotherTurnAnother) {
  const account::Account account;
  mesh::bus::v1::Turn other = TextTurn("Hi");
  other.set_turn_id(std::string(32, '\2'));
  const auto seed = BuildGenerationRequest(account, TextTurn("Hi"), {}).sampling.seed;
  EXPECT_EQ(seed, BuildGenerationRequest(account, TextTurn("Hi"), {}).sampling.seed);
  EXPECT_NE(seed, BuildGenerationRequest(account, other, {}).sampling.seed);
}

}  // namespace
}  // namespace worker
