#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/meshctl/command.h"

namespace meshctl {
namespace {

using ::testing::HasSubstr;

TEST(LagCommandTest, AMeshThatDoesNotRunIsSaidAndNothingElse) {
  const char* argv[] = {"lag", "--kafka-brokers=127.0.0.1:1"};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(RunLag(2, argv), 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "") << "a table's head without its rows looks like an empty mesh";
  const std::string error = testing::internal::GetCapturedStderr();
  EXPECT_THAT(error, HasSubstr("is the mesh running?"));
  EXPECT_THAT(error, HasSubstr("127.0.0.1:1"));
}

}  // namespace
}  // namespace meshctl
