// What comes along with a turn's text: fetched before the engine sees the turn, and told to the model in words.
#include "services/worker/turn_media.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "libs/session/user_text.h"
#include "services/worker/prompt.h"
#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using media::Fetched;
using media::Kind;
using media::Result;

const Fetched kPicture = {.result = Result::kStored, .type = "image/png", .bytes = 70'000};

class TurnMediaTest : public TurnRunTest {
 protected:
  TurnMediaTest() : TurnRunTest("turn_media_test") {
    context_ = Context();
    context_.media = &fetcher_;
  }

  void Attach(const std::string& type, const std::string& id) {
    mesh::bus::v1::Attachment* attachment = turn_.add_attachments();
    attachment->set_type(type);
    attachment->set_id(id);
  }
  // A turn whose files began to be fetched while it waited.
  std::shared_ptr<TurnTask> TaskWithMedia() {
    std::shared_ptr<TurnTask> task = Task();
    const auto book = accounts_->current();
    loop_.RunSync([&] {
      task->media = std::make_shared<TurnMedia>(&loop_, &fetcher_, book, &book->accounts().front(), turn_);
      while (task->media->HasMore()) {
        task->media->FetchOne(base::Clock::Real().Now() + std::chrono::minutes(1), nullptr);
      }
    });
    return task;
  }
  // A retried webhook brought it, and session knows its turn as finished.
  void RunToFinished(const std::shared_ptr<TurnTask>& task) {
    session_.context.set_done(true);
    const auto run = TurnRun::Start(context_, task, OnDone());
    EXPECT_TRUE(WaitForEnd());
    EXPECT_EQ(metrics_.turns.at("already_done").Value(), 1);
  }
  std::vector<std::size_t> DeletedFiles() {
    std::vector<std::size_t> indices;
    loop_.RunSync([&] {
      for (const media::StoreKey& key : fetcher_.deleted_files) {
        EXPECT_EQ(key.tenant, "test");
        EXPECT_EQ(key.turn_id, turn_.turn_id());
        indices.push_back(key.index);
      }
    });
    return indices;
  }
  // The user's message as the model read it; the echo engine says it again.
  std::string Answer() {
    const auto run = TurnRun::Start(context_, Task(), OnDone());
    EXPECT_TRUE(WaitForEnd());
    const std::vector<mesh::bus::v1::Reply> replies = Replies();
    return replies.size() == 1 ? replies[0].text() : "";
  }
  void ExpectAnswered(const std::string& part) {
    const std::string answer = Answer();
    EXPECT_NE(answer.find(part), std::string::npos) << answer;
  }

  ScriptedFetcher fetcher_;
  TurnContext context_;
};

TEST_F(TurnMediaTest, AFileThatIsThereIsNamedBehindTheText) {
  Attach("image", "1");
  fetcher_.results["1"] = kPicture;
  ExpectAnswered("hello\n[The user sent an image (image/png, 68 KB); its content is not visible to you]");
  ASSERT_EQ(fetcher_.requests.size(), 1u);
  EXPECT_EQ(fetcher_.requests[0].account->account_id, "1");
  EXPECT_EQ(fetcher_.requests[0].turn_id, turn_.turn_id()) << "under which every record of the turn finds it";
  EXPECT_EQ(session_.appended.at(0).turn().user_text(), "hello\n[The user sent with it: image]")
      << "a rebuilt history must not depend on what was there";
}

TEST_F(TurnMediaTest, AFileThatCannotBeLoadedIsASentence) {
  turn_.clear_text();
  Attach("document", "1");
  fetcher_.results["1"] = {.result = Result::kTooLarge};
  ExpectAnswered("[The user sent a document that could not be loaded: it is too large]");
}

TEST_F(TurnMediaTest, ATurnGoesOnWithoutWhatDoesNotArrive) {
  Attach("image", "1");
  Attach("voice", "never");
  fetcher_.results["1"] = kPicture;
  context_.media_wait = std::chrono::milliseconds(20);
  ExpectAnswered(
      "its content is not visible to you]\n[The user sent a voice or audio message that could not be loaded: it did "
      "not "
      "arrive in time]");
}

TEST_F(TurnMediaTest, WithoutAStoreTheModelIsToldWhatCame) {
  Attach("image", "1");
  context_.media = nullptr;
  ExpectAnswered("hello\n[The user sent with it: image]");
}

// Session names files by the channel's words as the fetcher does, and cannot ask it.
TEST_F(TurnMediaTest, TheHistoryNamesWhatIsFetchedAndNothingElse) {
  for (const char* type : {"image", "sticker", "audio", "voice", "video", "document", "file", "story_mention",
                           "location", "contacts", "fallback", "template", "share", "reel", ""}) {
    turn_.clear_attachments();
    Attach(type, "1");
    EXPECT_EQ(TurnMedia::Has(turn_), UserText(turn_) != "hello") << type;
  }
}

TEST_F(TurnMediaTest, WhatHasNoFileIsNotAskedFor) {
  Attach("location", "1");
  ExpectAnswered("hello");
  EXPECT_TRUE(fetcher_.requests.empty());
}

TEST_F(TurnMediaTest, AnAlbumIsFetchedUpToABound) {
  for (int i = 0; i < 20; ++i) Attach("image", "1");
  fetcher_.results["1"] = kPicture;
  context_.engine = UseEndlessEngine();
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  auto* const engine = static_cast<EndlessEngine*>(context_.engine);
  ASSERT_TRUE(engine->WaitForSubmissions(1));
  EXPECT_TRUE(engine->LastUserMessage().ends_with("\n[The user sent 12 more files, which were not loaded]"));
  ASSERT_EQ(fetcher_.requests.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(fetcher_.requests[i].index, i);
  engine->Answer(1);
  EXPECT_TRUE(WaitForEnd());
}

TEST_F(TurnMediaTest, ATurnThatIsDroppedWhileItWaitsEndsAtOnce) {
  Attach("image", "never");
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  bool waits = false;
  while (!waits) loop_.RunSync([&] { waits = !fetcher_.requests.empty(); });
  loop_.RunSync([&] {
    EXPECT_TRUE(run->submitted()) << "it takes no room of the engine from others";
    run->Drop({DropReason::kSuperseded, "the later turn"});
  });
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_SUPERSEDED, "hello\n[The user sent with it: image]");
}

TEST_F(TurnMediaTest, ATurnThatIsAbandonedWhileItWaitsEndsAtOnce) {
  Attach("image", "never");
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  bool waits = false;
  while (!waits) loop_.RunSync([&] { waits = !fetcher_.requests.empty(); });
  loop_.RunSync([&] { run->Abandon(); });
  EXPECT_FALSE(WaitForEnd());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnMediaTest, WhatIsOnItsWaySinceTheTurnCameIsWaitedForAndNotFetchedAgain) {
  Attach("image", "1");
  Attach("image", "2");
  fetcher_.results["1"] = kPicture;
  const auto task = TaskWithMedia();
  const auto run = TurnRun::Start(context_, task, OnDone());
  bool waits = false;
  while (!waits) loop_.RunSync([&] { waits = run->submitted(); });
  loop_.RunSync([&] {
    EXPECT_EQ(fetcher_.requests.size(), 2u);
    fetcher_.Answer(1, {.result = Result::kStored, .type = "image/gif", .bytes = 2048});
  });
  ASSERT_TRUE(WaitForEnd());
  EXPECT_NE(Replies().at(0).text().find("(image/png, 68 KB)"), std::string::npos);
  EXPECT_NE(Replies().at(0).text().find("(image/gif, 2 KB)"), std::string::npos);
}

TEST_F(TurnMediaTest, WhatHadNoPlaceBeforeIsAskedForAgainAndWhatIsGoneIsNot) {
  Attach("image", "busy");
  Attach("image", "gone");
  fetcher_.results["busy"] = {.result = Result::kBusy};
  fetcher_.results["gone"] = {.result = Result::kGone};
  const auto task = TaskWithMedia();
  loop_.RunSync([&] { fetcher_.results["busy"] = kPicture; });
  const auto run = TurnRun::Start(context_, task, OnDone());
  ASSERT_TRUE(WaitForEnd());
  EXPECT_NE(Replies().at(0).text().find("68 KB"), std::string::npos);
  EXPECT_NE(Replies().at(0).text().find("it has expired"), std::string::npos);
  EXPECT_EQ(fetcher_.requests.size(), 3u);
}

// What was asked for ahead may fail while the turn waits for it: that was a try without the turn's patience.
TEST_F(TurnMediaTest, WhatFailsWhileItIsWaitedForIsAskedForOnceMoreByTheRun) {
  Attach("image", "1");
  const auto task = TaskWithMedia();
  const auto run = TurnRun::Start(context_, task, OnDone());
  bool waits = false;
  while (!waits) loop_.RunSync([&] { waits = run->submitted(); });
  loop_.RunSync([&] { fetcher_.Answer(0, {.result = Result::kUnavailable}); });
  loop_.RunSync([] {});
  loop_.RunSync([&] {
    ASSERT_EQ(fetcher_.requests.size(), 2u);
    EXPECT_LT(fetcher_.requests[1].deadline, fetcher_.requests[0].deadline) << "the run's";
    fetcher_.Answer(1, {.result = Result::kUnavailable});
  });
  ASSERT_TRUE(WaitForEnd());
  EXPECT_NE(Replies().at(0).text().find("it is not available"), std::string::npos);
  EXPECT_EQ(fetcher_.requests.size(), 2u) << "once";
}

// Goal: Meta's retry of a webhook does not bring back what an unsend or a forget has deleted since.
TEST_F(TurnMediaTest, WhatCameAnewForAFinishedTurnDoesNotStay) {
  Attach("image", "new");
  Attach("image", "kept");
  fetcher_.results["new"] = kPicture;
  fetcher_.results["kept"] = kPicture;
  fetcher_.results["kept"].was_kept = true;
  RunToFinished(TaskWithMedia());
  EXPECT_EQ(DeletedFiles(), (std::vector<std::size_t>{0})) << "what its first record has kept is the user's";
  EXPECT_TRUE(fetcher_.deleted.empty());
}

TEST_F(TurnMediaTest, WhatComesForAFinishedTurnLaterDoesNotStayEither) {
  Attach("image", "1");
  Attach("image", "2");
  Attach("image", "3");
  RunToFinished(TaskWithMedia());
  EXPECT_EQ(DeletedFiles(), std::vector<std::size_t>{});
  EXPECT_EQ(fetcher_.requests.at(0).interest->load(), media::Interest::kOver) << "what has not begun is not";
  loop_.RunSync([&] {
    fetcher_.Answer(0, {.result = Result::kGone});
    fetcher_.Answer(1, kPicture);
    fetcher_.Answer(2, {.result = Result::kStored, .was_kept = true});
  });
  EXPECT_EQ(DeletedFiles(), (std::vector<std::size_t>{1}));
}

TEST_F(TurnMediaTest, AFinishedTurnThatWasTakenBackKeepsNoFile) {
  Attach("image", "never");
  session_.context.set_unsent(true);
  RunToFinished(TaskWithMedia());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{turn_.turn_id()}));
  EXPECT_EQ(fetcher_.requests.at(0).interest->load(), media::Interest::kTakenBack);
}

TEST_F(TurnMediaTest, AFinishedTurnThatIsTakenBackWhileItsRetryWaitsKeepsNoFile) {
  Attach("image", "never");
  session_.context.set_done(true);
  const auto run = TurnRun::StartDropped(context_, TaskWithMedia(), {DropReason::kUnsent}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{turn_.turn_id()}));
}

TEST_F(TurnMediaTest, AMessageThatIsTakenBackTakesItsFilesAlong) {
  Attach("image", "never");
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  bool waits = false;
  while (!waits) loop_.RunSync([&] { waits = run->submitted(); });
  loop_.RunSync([&] { run->Drop({DropReason::kUnsent}); });
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{turn_.turn_id()}));
  EXPECT_EQ(fetcher_.requests.at(0).interest->load(), media::Interest::kTakenBack) << "also what is on its way";
}

TEST_F(TurnMediaTest, ATurnThatAnotherOneStandsForTellsOfItsFilesAndKeepsThem) {
  Attach("image", "1");
  fetcher_.results["1"] = kPicture;
  const auto run = TurnRun::StartDropped(context_, Task(), {DropReason::kMerged, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(session_.appended.at(0).turn().user_text(), "hello\n[The user sent with it: image]")
      << "the later turn is answered in knowledge of it";
  EXPECT_TRUE(fetcher_.deleted.empty());
}

TEST_F(TurnMediaTest, AnUnsendDeletesTheFilesOfItsTurn) {
  turn_.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
  turn_.set_target_turn_id(std::string(32, 't'));
  session_.unsend_failures = {absl::UnavailableError("away")};
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{std::string(32, 't')})) << "once session has taken it";
}

TEST_F(TurnMediaTest, DeletionsThatFindNoRoomAreAskedForAgain) {
  fetcher_.full_for = 1;
  turn_.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
  turn_.set_target_turn_id(std::string(32, 't'));
  const auto unsend = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{std::string(32, 't')}));
  fetcher_.full_for = 2;
  turn_.set_kind(mesh::bus::v1::TURN_KIND_FORGET);
  turn_.add_forgotten_turn_ids(std::string(32, 'a'));
  turn_.add_forgotten_turn_ids(std::string(32, 'b'));
  const auto forget = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted,
            (std::vector<std::string>{std::string(32, 't'), std::string(32, 'a'), std::string(32, 'b')}));
}

TEST_F(TurnMediaTest, AForgottenHistoryTakesItsFilesAlong) {
  turn_.set_kind(mesh::bus::v1::TURN_KIND_FORGET);
  turn_.add_forgotten_turn_ids(std::string(32, 'a'));
  turn_.add_forgotten_turn_ids("what is no turn id");
  turn_.add_forgotten_turn_ids(std::string(32, 'b'));
  const auto run = TurnRun::Start(context_, Task(), OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(fetcher_.deleted, (std::vector<std::string>{std::string(32, 'a'), std::string(32, 'b')}));
  EXPECT_TRUE(producer_.log().empty());
}

// What a file did to two workers it shall not do to a third; once may have been an accident.
TEST_F(TurnMediaTest, ATurnThatOutlivedOneWorkerStillHasItsMedia) {
  Attach("image", "1");
  fetcher_.results["1"] = kPicture;
  note_ = Attempts().Started().note();
  ExpectAnswered("68 KB");
}

TEST_F(TurnMediaTest, ATurnThatOutlivedTwoWorkersGoesWithoutIt) {
  Attach("image", "1");
  fetcher_.results["1"] = kPicture;
  note_ = Attempts().Started().StartedAlone().note();
  ExpectAnswered("could not be loaded");
  EXPECT_TRUE(fetcher_.requests.empty());
}

TEST(MediaSentenceTest, NoReasonNamesWhatTheOtherSideSent) {
  for (const Result result : media::kResults) {
    const Fetched fetched{.result = result, .type = "image/png", .bytes = 5 << 20, .detail = "secret.example said X"};
    const std::string sentence = MediaSentence(Kind::kImage, fetched);
    EXPECT_TRUE(sentence.starts_with("[The user sent an image ")) << sentence;
    EXPECT_TRUE(sentence.ends_with("]")) << sentence;
    EXPECT_EQ(sentence.find("secret"), std::string::npos) << sentence;
  }
  EXPECT_TRUE(session::MayNameFiles(MediaSentence(Kind::kImage, std::nullopt))) << "one beginning for all";
  EXPECT_NE(MediaSentence(Kind::kVideo, Fetched{.result = Result::kStored, .bytes = 5 << 20}).find("(5 MB)"),
            std::string::npos);
}

}  // namespace
}  // namespace worker
