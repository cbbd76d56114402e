// What becomes of a forget when one of those that it needs is away.
#include "services/meshctl/forget.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_producer.h"

namespace meshctl {
namespace {

namespace v1 = mesh::session::v1;

class ScriptedClient final : public session::Client {
 public:
  absl::StatusOr<v1::GetSessionResponse> history = v1::GetSessionResponse();
  absl::StatusOr<v1::ForgetResponse> answer = v1::ForgetResponse();
  int forgets = 0;

  void LoadContext(const v1::LoadContextRequest&, const CallOptions&, Callback<v1::LoadContextResponse>) override {}
  void AppendTurn(const v1::AppendTurnRequest&, const CallOptions&, Callback<v1::AppendTurnResponse>) override {}
  void SetOutcome(const v1::SetOutcomeRequest&, const CallOptions&, Callback<v1::SetOutcomeResponse>) override {}
  void LinkIdentity(const v1::LinkIdentityRequest&, const CallOptions&, Callback<v1::LinkIdentityResponse>) override {}
  void SetControl(const v1::SetControlRequest&, const CallOptions&, Callback<v1::SetControlResponse>) override {}
  void Unsend(const v1::UnsendRequest&, const CallOptions&, Callback<v1::UnsendResponse>) override {}
  absl::StatusOr<v1::IsDoneResponse> IsDone(const v1::IsDoneRequest&, const CallOptions&) override {
    return absl::UnimplementedError("nobody asks");
  }
  absl::StatusOr<v1::ForgetResponse> Forget(const v1::ForgetRequest&, const CallOptions&) override {
    ++forgets;
    return answer;
  }
  absl::StatusOr<v1::GetSessionResponse> GetSession(const v1::GetSessionRequest&, const CallOptions&) override {
    return history;
  }
  bool connected() const override { return true; }
};

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() {
    conversation_.set_tenant("test");
    conversation_.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    conversation_.set_account("1");
    conversation_.set_user("ann");
    client_.history->add_turns()->set_turn_id("one");
    client_.answer->set_turns_deleted(1);
  }
  absl::StatusOr<Forgotten> Forget() {
    return ForgetConversation(producer_, client_, conversation_, bus::BusOptions(), /*now_ms=*/1234);
  }
  int NamedTurns() const {
    mesh::bus::v1::Turn turn;
    EXPECT_TRUE(turn.ParseFromString(producer_.log().at(0).value));
    return turn.forgotten_turn_ids_size();
  }

  mesh::bus::v1::ConversationId conversation_;
  fakes::FakeProducer producer_;
  ScriptedClient client_;
};

TEST_F(ForgetTest, TheLogNamesTheTurnsBeforeTheStoreForgetsThem) {
  const auto forgotten = Forget();
  ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  EXPECT_EQ(forgotten->turns_count, 1);
  EXPECT_FALSE(forgotten->leaves_files_to_their_age);
  EXPECT_EQ(NamedTurns(), 1);
}

// Else their files stayed: once the history is gone nobody can name its turns.
TEST_F(ForgetTest, WhoseTurnsNobodyCanNameIsNotForgottenYet) {
  client_.history = absl::UnavailableError("session is away");
  const auto forgotten = Forget();
  EXPECT_EQ(forgotten.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(forgotten.status().message(), "nothing is deleted yet: session is away");
  EXPECT_TRUE(producer_.log().empty());
  EXPECT_EQ(client_.forgets, 0);
}

TEST_F(ForgetTest, WhatIsDamagedIsForgottenAndItsFilesAreLeftToTheirAge) {
  client_.history = absl::DataLossError("what is stored cannot be read");
  const auto forgotten = Forget();
  ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  EXPECT_TRUE(forgotten->leaves_files_to_their_age);
  EXPECT_EQ(NamedTurns(), 0);
  EXPECT_EQ(client_.forgets, 1);
}

TEST_F(ForgetTest, AStoreThatFailsBehindTheLogIsAskedByRunningItAgain) {
  client_.answer = absl::UnavailableError("session is away");
  EXPECT_EQ(Forget().status().message(), "noted in the log, but not deleted yet; run it again: session is away");
  EXPECT_EQ(producer_.log().size(), 1u);
}

}  // namespace
}  // namespace meshctl
