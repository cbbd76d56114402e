// A user whose identity changed more often than a call follows, or back while nobody has seen both halves of that.
#include "libs/session/internal/keys.h"
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

// The script of one end has run and that of the other has not: whoever asks now must ask again.
TEST_F(IdentityChainTest, HalfAChangeBackIsWaitedFor) {
  const auto ann = Conversation("ann"), bea = Conversation("bea");
  Append(ann, TurnAt(1, 1));
  Link(ann, bea, 1000);
  const std::string link = internal::KeysOf(redis_.key_prefix, bea).link;
  Redis({"HSET", link, "at", "2000", "to", ann.SerializeAsString()});
  v1::LoadContextRequest load;
  *load.mutable_conversation() = ann;
  load.set_turn_id(TurnIdOf("a turn"));
  const absl::Status loaded = store_->LoadContext(load, Soon()).status();
  EXPECT_TRUE(absl::IsAborted(loaded)) << loaded;
  Link(bea, ann, 2000);
  EXPECT_EQ(Turns(bea).size(), 1u);

  Redis({"HSET", internal::KeysOf(redis_.key_prefix, ann).link, "at", "3000", "to", bea.SerializeAsString()});
  v1::ForgetRequest forget;
  *forget.mutable_conversation() = ann;
  const absl::Status forgotten = store_->Forget(forget, Soon()).status();
  EXPECT_TRUE(absl::IsAborted(forgotten)) << forgotten;
}

}  // namespace
}  // namespace session
