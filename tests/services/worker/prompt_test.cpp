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

TEST(PromptTest, AnEmptySystemPromptIsNoMessage) {
  const engine::GenerationRequest request = BuildGenerationRequest(account::Account{}, TextTurn("Hi"), {});
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.messages[0].role, Role::kUser);
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
