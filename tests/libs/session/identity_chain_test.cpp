// A user whose identity changed more often than a call follows.
#include "tests/libs/session/session_fixture.h"

namespace session {
namespace {

using IdentityChainTest = StoreFixture;

// Whoever asks takes everything but DataLoss and InvalidArgument as something that passes, and would wait for ever.
TEST_F(IdentityChainTest, AChainThatIsTooLongIsFollowedByNobodyAndSaysThatItStaysSo) {
  const auto name = [](int number) { return Conversation("user " + std::to_string(number)); };
  for (int i = 0; i < 9; ++i) Link(name(i), name(i + 1), 1000 + i);
  Append(name(1), TurnAt(1, 1));
  EXPECT_EQ(Turns(name(9)).size(), 1u) << "eight changes are followed";
  v1::LoadContextRequest load;
  *load.mutable_conversation() = name(0);
  load.set_turn_id(TurnIdOf("a turn"));
  const absl::Status loaded = store_->LoadContext(load, Soon()).status();
  EXPECT_TRUE(absl::IsDataLoss(loaded)) << loaded;
  v1::ForgetRequest forget;
  *forget.mutable_conversation() = name(0);
  const absl::Status forgotten = store_->Forget(forget, Soon()).status();
  EXPECT_TRUE(absl::IsDataLoss(forgotten)) << forgotten;
}

}  // namespace
}  // namespace session
