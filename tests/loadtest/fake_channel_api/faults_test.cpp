#include "loadtest/fake_channel_api/faults.h"

#include <gtest/gtest.h>

namespace fake_channel_api {
namespace {

// Time that only the test moves.
class StillClock final : public base::Clock {
 public:
  base::MonotonicTime Now() const override { return now; }
  std::int64_t WallMs() const override { return 0; }

  base::MonotonicTime now = base::MonotonicTime() + std::chrono::hours(1);
};

class FaultsTest : public ::testing::Test {
 protected:
  Faults::Kind Next(const std::string& account = "a") { return faults_.Next(account).kind; }

  StillClock clock_;
  Faults faults_{Options{}, clock_};
};

TEST_F(FaultsTest, NothingHappensUnasked) {
  EXPECT_EQ(Next(), Faults::Kind::kNone);
  EXPECT_EQ(faults_.ToJson(),
            R"({"delay_ms":0,"fail_next":{"n":0,"http_status":500,"code":131000,"with_error_object":true},)"
            R"("rate_limit":0,"accept_then_drop":0,"accept_then_lose":0})");
}

TEST_F(FaultsTest, FailuresAreCountedDown) {
  ASSERT_TRUE(
      faults_.Apply(R"({"fail_next":{"n":2,"http_status":503,"code":2,"with_error_object":false},"delay_ms":7})").ok());
  const Faults::Fault fault = faults_.Next("a");
  EXPECT_EQ(fault.kind, Faults::Kind::kFail);
  EXPECT_EQ(fault.http_status, 503);
  EXPECT_EQ(fault.code, 2);
  EXPECT_FALSE(fault.with_error_object);
  EXPECT_EQ(fault.delay_ms, 7);
  EXPECT_EQ(Next(), Faults::Kind::kFail);
  EXPECT_EQ(Next(), Faults::Kind::kNone);
}

TEST_F(FaultsTest, RateIsPerAccountAndSecond) {
  ASSERT_TRUE(faults_.Apply(R"({"rate_limit":2})").ok());
  EXPECT_EQ(Next(), Faults::Kind::kNone);
  EXPECT_EQ(Next(), Faults::Kind::kNone);
  EXPECT_EQ(Next(), Faults::Kind::kRateLimit);
  EXPECT_EQ(Next("b"), Faults::Kind::kNone);
  clock_.now += std::chrono::seconds(1);
  EXPECT_EQ(Next(), Faults::Kind::kNone);
}

TEST_F(FaultsTest, KnobsCombineFailureBeforeDrop) {
  ASSERT_TRUE(faults_.Apply(R"({"fail_next":{"n":1},"accept_then_drop":1,"accept_then_lose":1})").ok());
  EXPECT_EQ(Next(), Faults::Kind::kFail);
  EXPECT_EQ(Next(), Faults::Kind::kAcceptThenDrop);
  EXPECT_EQ(Next(), Faults::Kind::kAcceptThenLose);
  EXPECT_EQ(Next(), Faults::Kind::kNone);
}

TEST_F(FaultsTest, ABadKnobChangesNothing) {
  for (const char* json : {"", "[]", R"({"delay":5})", R"({"delay_ms":-1})", R"({"delay_ms":"5"})",
                           R"({"rate_limit":1.5})", R"({"fail_next":3})", R"({"fail_next":{"count":3}})",
                           R"({"fail_next":{"http_status":200}})", R"({"accept_then_drop":5,"delay_ms":-1})"}) {
    EXPECT_FALSE(faults_.Apply(json).ok()) << json;
  }
  EXPECT_EQ(Next(), Faults::Kind::kNone);
}

}  // namespace
}  // namespace fake_channel_api
