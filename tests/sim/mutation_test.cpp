// Whether the simulation would see a mistake: each one of kAllMistakes, laid into the world, must be caught.
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/runner.h"

namespace sim {
namespace {

constexpr std::uint64_t kSchedulesMax = 20000;

class MutationTest : public testing::TestWithParam<Mistake> {};

TEST_P(MutationTest, IsCaught) {
  const Summary summary = RunSchedules(/*first_seed=*/1, kSchedulesMax, GetParam(), /*stop_at_first=*/true);
  EXPECT_FALSE(summary.violations.empty()) << NameOf(GetParam()) << " is not seen in " << kSchedulesMax << " schedules";
  for (const auto& [name, seen] : summary.violations) {
    std::cout << NameOf(GetParam()) << " is caught by schedule " << summary.schedules << ": " << name << "\n";
  }
}

INSTANTIATE_TEST_SUITE_P(All, MutationTest, testing::ValuesIn(kAllMistakes),
                         [](const auto& test) { return std::string(NameOf(test.param)); });

}  // namespace
}  // namespace sim
