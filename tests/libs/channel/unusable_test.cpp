#include "libs/channel/unusable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"

namespace channel {
namespace {

TEST(UnusableTest, EachReasonIsAWordOfItsOwn) {
  std::set<std::string_view> seen;
  for (const std::string_view reason : UnusableReasons()) {
    EXPECT_TRUE(seen.insert(reason).second) << reason;
    EXPECT_FALSE(reason.empty());
    EXPECT_EQ(reason.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos) << reason;
  }
  EXPECT_THAT(seen,
              testing::IsSupersetOf({"not_json", "too_deep", "not_utf8", "too_large", "wrong_object", "no_sender"}));
}

TEST(UnusableTest, EveryKindOfEventHasANameOfItsOwn) {
  std::set<std::string_view> seen;
  for (int kind = 0; kind < static_cast<int>(EventKind::kCount); ++kind) {
    EXPECT_TRUE(seen.insert(ToString(static_cast<EventKind>(kind))).second) << kind;
  }
}

}  // namespace
}  // namespace channel
