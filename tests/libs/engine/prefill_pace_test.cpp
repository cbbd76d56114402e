#include "libs/engine/internal/prefill_pace.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

// A machine whose steps take 10 ms with 8 decodes, and 0.4 ms more for each row of a chunk.
constexpr double kDecodeSeconds = 0.010, kRowSeconds = 0.0004;

TEST(PrefillPaceTest, ChunkTakesAsLongAsOneAndAHalfSteps) {
  PrefillPace pace(256);
  for (int i = 0; i < 50; ++i) pace.Observe(8, 0, kDecodeSeconds);
  for (int i = 0; i < 50; ++i) {
    const std::int32_t rows = pace.rows_max();
    pace.Observe(8, rows, kDecodeSeconds + rows * kRowSeconds);
  }
  EXPECT_NEAR(pace.rows_max(), 1.5 * kDecodeSeconds / kRowSeconds, 1);
}

TEST(PrefillPaceTest, PromptsAloneTellWhatARowCosts) {
  PrefillPace pace(256);
  pace.Observe(0, 256, 256 * kRowSeconds);
  pace.Observe(8, 0, kDecodeSeconds);
  EXPECT_NEAR(pace.rows_max(), 1.5 * kDecodeSeconds / kRowSeconds, 1);
}

TEST(PrefillPaceTest, StaysWithinItsBoundsWhateverItSees) {
  EXPECT_EQ(PrefillPace(256).rows_max(), 64);
  EXPECT_EQ(PrefillPace(4).rows_max(), 4);
  for (const double seconds : {0.0, 1e-12, 1e-3, 1e6}) {
    PrefillPace pace(256);
    for (int i = 0; i < 5; ++i) {
      pace.Observe(4096, 0, seconds);
      pace.Observe(1, 200, 1e-3);
      pace.Observe(7, 0, seconds);
      EXPECT_GE(pace.rows_max(), 8);
      EXPECT_LE(pace.rows_max(), 256);
    }
  }
}

}  // namespace
}  // namespace engine
