#include "libs/telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

// Lines before StartLogging: synchronous, on stderr. What comes after is in log_writer_test.cpp.
namespace telemetry {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

template <typename Function>
std::string StderrOf(Function function) {
  testing::internal::CaptureStderr();
  function();
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, WritesOneJsonObjectALine) {
  EXPECT_THAT(
      StderrOf([] {
        LogInfo("webhook_accepted", {{"channel", "whatsapp"}, {"events", 3}, {"signed", true}});
      }),
      MatchesRegex(R"(\{"ts":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z","level":"info",)"
                   R"("event":"webhook_accepted","channel":"whatsapp","events":3,"signed":true\}
)"));
}

TEST(LogTest, TakesASingleFieldForAFieldAndNotForATrace) {
  EXPECT_THAT(StderrOf([] {
                Log(LogLevel::kWarning, "queue_full", {{"key", "value"}});
              }),
              EndsWith("\"level\":\"warning\",\"event\":\"queue_full\",\"key\":\"value\"}\n"));
}

TEST(LogTest, CarriesTheTrace) {
  const auto trace = TraceContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_THAT(StderrOf([&] {
                Log(LogLevel::kError, "send_failed", *trace, {{"code", -4}});
              }),
              EndsWith("\"event\":\"send_failed\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                       "\"span_id\":\"00f067aa0ba902b7\",\"code\":-4}\n"));
}

TEST(LogTest, WritesNumbersThatJsonHasAndQuotesTheOthers) {
  const std::string line = StderrOf([] {
    LogInfo("numbers", {{"max", std::numeric_limits<std::uint64_t>::max()},
                        {"ratio", 0.25},
                        {"nan", std::numeric_limits<double>::quiet_NaN()},
                        {"inf", -std::numeric_limits<double>::infinity()}});
  });
  EXPECT_THAT(line, EndsWith("\"max\":18446744073709551615,\"ratio\":0.25,\"nan\":\"nan\",\"inf\":\"-inf\"}\n"));
}

TEST(LogTest, EscapesKeysAndText) {
  EXPECT_THAT(StderrOf([] {
                LogInfo("odd", {{"a\"b", "line\nbreak \xFF"}});
              }),
              EndsWith("\"a\\\"b\":\"line\\nbreak \xEF\xBF\xBD\"}\n"));
}

TEST(LogTest, DropsWhatIsBelowTheLevel) {
  EXPECT_EQ(StderrOf([] { Log(LogLevel::kDebug, "detail"); }), "");
}

TEST(LogTest, KnowsItsLevelsByName) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("verbose"), std::nullopt);
  EXPECT_EQ(ParseLogLevel("INFO"), std::nullopt);
}

TEST(LogHashTest, IsStableInAProcessAndTellsPeopleApart) {
  EXPECT_THAT(LogHash("15551234567"), MatchesRegex("[0-9a-f]{12}"));
  EXPECT_EQ(LogHash("15551234567"), LogHash("15551234567"));
  std::set<std::string> hashes;
  for (int person = 0; person < 1000; ++person) hashes.insert(LogHash(std::to_string(person)));
  EXPECT_EQ(hashes.size(), 1000u);
}

}  // namespace
}  // namespace telemetry
