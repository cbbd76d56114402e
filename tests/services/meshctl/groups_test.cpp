#include "services/meshctl/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshctl {
namespace {

using testing::HasSubstr;

bus::PartitionLag At(std::int64_t committed, std::int64_t end) {
  bus::PartitionLag lag;
  lag.committed = committed;
  lag.end = end;
  return lag;
}

std::string Check(const std::vector<bus::PartitionLag>& lags) {
  Groups groups;
  groups.sender = "fleet-2";
  return std::string(CheckEverCommitted(StatusesReader(groups), {}, lags).message());
}

TEST(GroupsTest, AGroupThatNeverCommittedWhatStandsInTheTopicIsAnErrorThatSaysWhatToDo) {
  const std::string error = Check({At(-1, 0), At(-1, 7)});
  EXPECT_THAT(error, HasSubstr("mesh.fleet-2-statuses"));
  EXPECT_THAT(error, HasSubstr("mesh.statuses"));
  EXPECT_THAT(error, HasSubstr("--sender-group"));
}

TEST(GroupsTest, AnEmptyTopicAndAGroupThatCommittedSomethingAreFine) {
  EXPECT_EQ(Check({}), "");
  EXPECT_EQ(Check({At(-1, 0), At(-1, 0)}), "");
  EXPECT_EQ(Check({At(-1, 3), At(0, 7)}), "") << "the first record of a partition is being worked on";
}

TEST(GroupsTest, TheDefaultsAreThoseOfTheServices) {
  EXPECT_EQ(TurnsReader({}).group, "worker");
  EXPECT_EQ(RepliesReader({}).group, "sender");
  EXPECT_EQ(StatusesReader({}).group, "sender-statuses");
}

TEST(GroupsTest, OptionsNameThem) {
  Groups groups;
  config::OptionTable table("meshctl test", "A test.");
  RegisterGroups(table, &groups);
  const char* argv[] = {"test", "--worker-group=w", "--sender-group=s"};
  ASSERT_TRUE(table.Parse(3, argv).status.ok());
  EXPECT_EQ(TurnsReader(groups).group, "w");
  EXPECT_EQ(RepliesReader(groups).group, "s");
  EXPECT_EQ(StatusesReader(groups).group, "s-statuses");
}

}  // namespace
}  // namespace meshctl
