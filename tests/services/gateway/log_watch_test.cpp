#include "services/gateway/log_watch.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/fakes/fake_clock.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const absl::Status kFine = absl::OkStatus();
const absl::Status kAway = absl::UnavailableError("no broker answers");
const absl::Status kRefused = absl::UnavailableError("not enough copies");

class LogWatchTest : public ::testing::Test {
 protected:
  fakes::FakeClock clock_;
  LogWatch watch_{&clock_};
};

TEST_F(LogWatchTest, ABrokerThatIsAwayDegradesAndAfterAWhileTakesTheGatewayOut) {
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Ready());
  EXPECT_EQ(watch_.Judge(kAway), app::Readiness::Degraded("no broker answers"));
  clock_.Advance(LogWatch::kGivenUpAfter - milliseconds(1));
  EXPECT_TRUE(watch_.Judge(kAway).takes_work());
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(watch_.Judge(kAway), app::Readiness::NotReady("nothing was persisted for 15 s: no broker answers"));
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Ready());
  EXPECT_EQ(watch_.Judge(kAway), app::Readiness::Degraded("no broker answers"));
}

TEST_F(LogWatchTest, ALogThatRefusesDegradesUntilAWebhookIsPersistedOrNoneComesAnyMore) {
  watch_.NoteWebhook(kRefused);
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Degraded("not enough copies"));
  watch_.NoteWebhook(kFine);
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Ready());
  watch_.NoteWebhook(kRefused);
  clock_.Advance(LogWatch::kRefusalCountsFor);
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Ready());
}

TEST_F(LogWatchTest, ALogThatGoesOnRefusingTakesTheGatewayOut) {
  for (base::Duration waited{}; waited < LogWatch::kGivenUpAfter; waited += seconds(1)) {
    watch_.NoteWebhook(kRefused);
    EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Degraded("not enough copies"));
    clock_.Advance(seconds(1));
  }
  EXPECT_FALSE(watch_.Judge(kFine).takes_work());
}

TEST_F(LogWatchTest, ARecordThatNoLogWouldTakeSaysNothingAboutIt) {
  watch_.NoteWebhook(absl::InvalidArgumentError("too large"));
  EXPECT_EQ(watch_.Judge(kFine), app::Readiness::Ready());
}

}  // namespace
}  // namespace gateway
