#include "libs/session/validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "libs/session/store.h"

namespace session {
namespace {

namespace v1 = mesh::session::v1;

mesh::bus::v1::ConversationId GoodConversation(const std::string& user = "user") {
  mesh::bus::v1::ConversationId id;
  id.set_tenant("tenant");
  id.set_channel(mesh::bus::v1::CHANNEL_MESSENGER);
  id.set_account("account");
  id.set_user(user);
  return id;
}

v1::AppendTurnRequest GoodAppend() {
  v1::AppendTurnRequest request;
  *request.mutable_conversation() = GoodConversation();
  request.mutable_turn()->set_turn_id(std::string(32, 'x'));
  return request;
}

// True when the request is good as it is, and InvalidArgument naming `field` once `spoil` was applied.
template <typename Request>
testing::AssertionResult Refused(Request request, const std::string& field,
                                 const std::function<void(Request&)>& spoil) {
  if (!Validate(request).ok()) return testing::AssertionFailure() << "was not good: " << Validate(request);
  spoil(request);
  const absl::Status status = Validate(request);
  if (!absl::IsInvalidArgument(status)) return testing::AssertionFailure() << "not refused: " << status;
  if (std::string(status.message()).find(field) == std::string::npos) {
    return testing::AssertionFailure() << "does not name " << field << ": " << status;
  }
  return testing::AssertionSuccess();
}

TEST(ValidateTest, ConversationMustBeWholeAndOfBoundedSize) {
  using R = v1::AppendTurnRequest;
  EXPECT_TRUE(Refused<R>(GoodAppend(), "conversation", [](R& r) { r.clear_conversation(); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "tenant", [](R& r) { r.mutable_conversation()->clear_tenant(); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "channel", [](R& r) { r.mutable_conversation()->clear_channel(); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "channel",
                         [](R& r) { r.mutable_conversation()->set_channel(static_cast<mesh::bus::v1::Channel>(77)); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "account", [](R& r) { r.mutable_conversation()->clear_account(); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "user", [](R& r) { r.mutable_conversation()->clear_user(); }));
  EXPECT_TRUE(
      Refused<R>(GoodAppend(), "user", [](R& r) { r.mutable_conversation()->set_user(std::string(257, 'u')); }));
  R longest = GoodAppend();
  longest.mutable_conversation()->set_user(std::string(256, 'u'));
  EXPECT_TRUE(Validate(longest).ok());
}

TEST(ValidateTest, AppendedTurnHoldsItsLimits) {
  using R = v1::AppendTurnRequest;
  EXPECT_TRUE(Refused<R>(GoodAppend(), "turn_id", [](R& r) { r.mutable_turn()->set_turn_id(std::string(31, 'x')); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "turn_id", [](R& r) { r.mutable_turn()->set_turn_id(std::string(33, 'x')); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "user_text",
                         [](R& r) { r.mutable_turn()->set_user_text(std::string(kTextBytesMax + 1, 'x')); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "reply_text",
                         [](R& r) { r.mutable_turn()->set_reply_text(std::string(kTextBytesMax + 1, 'x')); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "user_tokens", [](R& r) { r.mutable_turn()->set_user_tokens(-1); }));
  EXPECT_TRUE(
      Refused<R>(GoodAppend(), "reply_tokens", [](R& r) { r.mutable_turn()->set_reply_tokens(kTokensMax + 1); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "replies_offset", [](R& r) { r.mutable_turn()->set_replies_offset(-1); }));
  EXPECT_TRUE(
      Refused<R>(GoodAppend(), "turns_offset", [](R& r) { r.mutable_turn()->set_turns_offset(kTurnsOffsetMax + 1); }));
  EXPECT_TRUE(Refused<R>(GoodAppend(), "accepted_at_ms", [](R& r) { r.mutable_turn()->set_accepted_at_ms(-1); }));
  EXPECT_TRUE(
      Refused<R>(GoodAppend(), "outcome", [](R& r) { r.mutable_turn()->set_outcome(static_cast<v1::Outcome>(6)); }));
}

TEST(ValidateTest, OutcomeMustSaySomething) {
  v1::SetOutcomeRequest good;
  *good.mutable_conversation() = GoodConversation();
  good.set_turn_id(std::string(32, 'x'));
  good.set_outcome(v1::OUTCOME_SENT);
  using R = v1::SetOutcomeRequest;
  EXPECT_TRUE(Refused<R>(good, "outcome", [](R& r) { r.clear_outcome(); }));
  EXPECT_TRUE(Refused<R>(good, "outcome", [](R& r) { r.set_outcome(static_cast<v1::Outcome>(-1)); }));
  EXPECT_TRUE(Refused<R>(good, "reply_text", [](R& r) { r.set_reply_text(std::string(kTextBytesMax + 1, 'x')); }));
  EXPECT_TRUE(Refused<R>(good, "replies_offset", [](R& r) { r.set_replies_offset(-1); }));
}

TEST(ValidateTest, IsDoneTakesAThousandWholeIds) {
  v1::IsDoneRequest good;
  for (int i = 0; i < kTurnIdsMax; ++i) good.add_turn_ids(std::string(32, 'x'));
  using R = v1::IsDoneRequest;
  EXPECT_TRUE(Refused<R>(good, "turn_ids", [](R& r) { r.add_turn_ids(std::string(32, 'x')); }));
  EXPECT_TRUE(Refused<R>(good, "turn_ids", [](R& r) { r.set_turn_ids(500, "short"); }));
}

TEST(ValidateTest, ContextSessionAndForgetHoldTheirLimits) {
  v1::LoadContextRequest load;
  *load.mutable_conversation() = GoodConversation();
  load.set_turn_id(std::string(32, 'x'));
  EXPECT_TRUE(Refused<v1::LoadContextRequest>(load, "turn_id", [](auto& r) { r.clear_turn_id(); }));
  EXPECT_TRUE(
      Refused<v1::LoadContextRequest>(load, "history_tokens_max", [](auto& r) { r.set_history_tokens_max(-1); }));
  v1::GetSessionRequest get;
  *get.mutable_conversation() = GoodConversation();
  EXPECT_TRUE(Refused<v1::GetSessionRequest>(get, "turns_max", [](auto& r) { r.set_turns_max(-1); }));
  EXPECT_TRUE(Refused<v1::GetSessionRequest>(get, "turns_max", [](auto& r) { r.set_turns_max(1001); }));
  v1::ForgetRequest forget;
  *forget.mutable_conversation() = GoodConversation();
  EXPECT_TRUE(Refused<v1::ForgetRequest>(forget, "turns_offset", [](auto& r) { r.set_turns_offset(-1); }));
}

TEST(ValidateTest, IdentityNeverCrossesTenantChannelOrAccount) {
  v1::LinkIdentityRequest good;
  *good.mutable_old_conversation() = GoodConversation("old");
  *good.mutable_new_conversation() = GoodConversation("new");
  using R = v1::LinkIdentityRequest;
  EXPECT_TRUE(Refused<R>(good, "user", [](R& r) { r.mutable_new_conversation()->set_tenant("other"); }));
  EXPECT_TRUE(Refused<R>(good, "user", [](R& r) { r.mutable_new_conversation()->set_account("other"); }));
  EXPECT_TRUE(
      Refused<R>(good, "user", [](R& r) { r.mutable_new_conversation()->set_channel(mesh::bus::v1::CHANNEL_WEB); }));
  EXPECT_TRUE(Refused<R>(good, "same", [](R& r) { r.mutable_new_conversation()->set_user("old"); }));
  EXPECT_TRUE(Refused<R>(good, "changed_at_ms", [](R& r) { r.set_changed_at_ms(-1); }));
}

TEST(ValidateTest, ControlAndUnsendHoldTheirLimits) {
  v1::SetControlRequest control;
  *control.mutable_conversation() = GoodConversation();
  control.set_action(mesh::bus::v1::CONTROL_ACTION_PAUSE);
  using R = v1::SetControlRequest;
  EXPECT_TRUE(Refused<R>(control, "action", [](R& r) { r.clear_action(); }));
  EXPECT_TRUE(Refused<R>(control, "action", [](R& r) { r.set_action(static_cast<mesh::bus::v1::ControlAction>(77)); }));
  EXPECT_TRUE(Refused<R>(control, "turns_offset", [](R& r) { r.set_turns_offset(-1); }));
  EXPECT_TRUE(Refused<R>(control, "turn_id", [](R& r) { r.set_turn_id("short"); }));
  EXPECT_TRUE(Refused<R>(control, "conversation", [](R& r) { r.clear_conversation(); }));
  v1::UnsendRequest unsend;
  *unsend.mutable_conversation() = GoodConversation();
  unsend.set_turn_id(std::string(32, 'x'));
  EXPECT_TRUE(Refused<v1::UnsendRequest>(unsend, "turn_id", [](auto& r) { r.clear_turn_id(); }));
}

TEST(StoreOptionsTest, DoneShardsMustBeAPowerOfTwo) {
  StoreOptions options;
  EXPECT_TRUE(ValidateStoreOptions(options).ok());
  options.done_shards = 3000;
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateStoreOptions(options)));
}

}  // namespace
}  // namespace session
