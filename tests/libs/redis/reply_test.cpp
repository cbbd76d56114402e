#include "libs/redis/reply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "libs/redis/options.h"

namespace redis {
namespace {

TEST(ErrorReplyTest, ServerThatCannotServeNowIsRetryableAndKeepsItsWord) {
  for (const char* const message :
       {"LOADING Redis is loading the dataset in memory", "MISCONF Redis is configured to save RDB snapshots",
        "READONLY You can't write against a read only replica.",
        "OOM command not allowed when used memory > 'maxmemory'.", "BUSY Redis is busy running a script.",
        "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN Hash slot not served",
        "NOREPLICAS Not enough good replicas to write."}) {
    const absl::Status status = StatusFromErrorReply(message);
    EXPECT_TRUE(absl::IsUnavailable(status)) << message;
    EXPECT_NE(std::string(status.message()).find(message), std::string::npos);
    EXPECT_TRUE(SaysServerIsDown(message)) << message;
  }
}

TEST(ErrorReplyTest, RefusedCredentialsWaitForTheOperatorAndNameTheOptions) {
  const absl::Status status = StatusFromErrorReply("WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_NE(std::string(status.message()).find("--redis-password-file"), std::string::npos);
}

TEST(ErrorReplyTest, MissingRightOfOneCommandDoesNotStopTheOthers) {
  const char* const message = "NOPERM this user has no permissions to run the 'evalsha' command";
  EXPECT_TRUE(absl::IsUnavailable(StatusFromErrorReply(message)));
  EXPECT_FALSE(SaysServerIsDown(message));
}

TEST(ErrorReplyTest, MistakesOfOursAreInternal) {
  for (const char* const message : {"WRONGTYPE Operation against a key holding the wrong kind of value",
                                    "ERR unknown command 'NOSUCH'", "", "LOADINGX", "loading"}) {
    EXPECT_TRUE(absl::IsInternal(StatusFromErrorReply(message))) << message;
    EXPECT_FALSE(SaysServerIsDown(message)) << message;
  }
}

TEST(ErrorReplyTest, ConnectionLimitOfTheServerIsRetryable) {
  EXPECT_TRUE(absl::IsUnavailable(StatusFromErrorReply("ERR max number of clients reached")));
}

TEST(ErrorReplyTest, EveryKindIsAmongTheListedOnes) {
  const auto kinds = ErrorKinds();
  for (const char* const message : {"LOADING x", "WRONGTYPE x", "ERR x", "anything"}) {
    EXPECT_NE(std::find(kinds.begin(), kinds.end(), ErrorKind(message)), kinds.end()) << message;
  }
  EXPECT_EQ(ErrorKind("ERR x"), "other");
}

TEST(RedisOptionsTest, KeyPrefixMustNotBecomeAHashTag) {
  RedisOptions options;
  EXPECT_TRUE(ValidateRedisOptions(options).ok());
  options.key_prefix = "mesh{1}";
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateRedisOptions(options)));
  options.key_prefix = "";
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateRedisOptions(options)));
}

}  // namespace
}  // namespace redis
