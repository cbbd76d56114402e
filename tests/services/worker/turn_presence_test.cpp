// What the user is shown in the course of a turn (presence.h).
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/services/worker/recorded_calls.h"
#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

class TurnPresenceTest : public TurnRunTest {
 protected:
  explicit TurnPresenceTest(const char* fields = "") : TurnRunTest("turn_presence_test", fields) {
    presence_ = std::make_shared<Presence>(
        PresenceOptions(), Presence::Parts{.http = &calls_,
                                           .clock = &clock_,
                                           .metrics = &metrics_,
                                           .run_after = [this](base::Duration delay, std::function<void()> task) {
                                             loop_.PostAfter(delay, std::move(task));
                                           }});
    context_ = Context();
    context_.presence = presence_.get();
  }
  ~TurnPresenceTest() override {
    loop_.RunSync([this] { presence_.reset(); });
  }

  std::size_t ShownCount() {
    std::size_t count = 0;
    loop_.RunSync([&] { count = presence_->shown_count(); });
    return count;
  }

  RecordedCalls calls_;  // nobody answers: no turn waits for it
  std::shared_ptr<Presence> presence_;
  TurnContext context_;
};

class TurnWithoutPresenceTest : public TurnPresenceTest {
 protected:
  TurnWithoutPresenceTest() : TurnPresenceTest("    presence: off\n") {}
};

TEST_F(TurnPresenceTest, AMessageIsReadAndAnsweredBeforeTheUsersEyes) {
  EndlessEngine* const engine = UseEndlessEngine();
  context_.engine = engine;
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  ASSERT_TRUE(engine->WaitForSubmissions(1));
  ASSERT_EQ(calls_.count(), 1u);
  EXPECT_NE(calls_.body(0).find(R"("message_id":"wamid.1","typing_indicator")"), std::string::npos);
  EXPECT_EQ(ShownCount(), 1u);
  engine->Answer(1);
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(ShownCount(), 0u);
  EXPECT_EQ(Replies().size(), 1u);
}

TEST_F(TurnPresenceTest, AnEngineThatIsTriedAgainIsOneStretchOfTyping) {
  note_ = Attempts().Started().note();  // and a suspect as well
  solo_engine_.outcomes = {ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died()};
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(calls_.count(), 1u);
  EXPECT_EQ(ShownCount(), 0u);
}

TEST_F(TurnPresenceTest, WhatWasAnsweredBeforeIsShownNothing) {
  session_.context.set_done(true);
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(calls_.count(), 0u);
}

TEST_F(TurnPresenceTest, WhatIsDroppedIsShownNothing) {
  const auto run = TurnRun::StartDropped(context_, Task(), {DropReason::kMerged, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(calls_.count(), 0u);
}

TEST_F(TurnPresenceTest, TypingEndsWhenTheTurnIsDroppedOrAbandoned) {
  for (const bool is_dropped : {true, false}) {
    EndlessEngine* const engine = UseEndlessEngine();
    context_.engine = engine;
    const auto run = TurnRun::Start(context_, Task(), OnDone());
    ASSERT_TRUE(engine->WaitForSubmissions(1));
    loop_.RunSync([&] {
      is_dropped ? run->Drop({DropReason::kSuperseded, "the later turn"}) : run->Abandon();
      EXPECT_EQ(presence_->shown_count(), 0u);
    });
    EXPECT_EQ(WaitForEnd(), is_dropped);
  }
}

TEST_F(TurnPresenceTest, ATurnThatIsGivenUpEndsAsShown) {
  context_.engine = UseEndlessEngine();
  auto* const engine = static_cast<EndlessEngine*>(context_.engine);
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  ASSERT_TRUE(engine->WaitForSubmissions(1));
  engine->Answer(1, " \n");  // the model says nothing
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(DeadLetterReason(), "empty_answer");
  EXPECT_EQ(ShownCount(), 0u);
}

TEST_F(TurnWithoutPresenceTest, AnAccountThatWantsNoneGetsNone) {
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(calls_.count(), 0u);
  EXPECT_EQ(Replies().size(), 1u);
}

}  // namespace
}  // namespace worker
