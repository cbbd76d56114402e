#include "libs/channel/internal/iso_time.h"

#include <gtest/gtest.h>

namespace channel {
namespace {

TEST(IsoTimeTest, ReadsTheFormsMetaSends) {
  EXPECT_EQ(ParseIsoTimeMs("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseIsoTimeMs("2019-09-23T18:14:46+0000"), 1569262486000);
  EXPECT_EQ(ParseIsoTimeMs("2019-09-23T18:14:46.134+00:00"), 1569262486134);
  EXPECT_EQ(ParseIsoTimeMs("2019-09-23T20:14:46.1349999+02:00"), 1569262486134);
  EXPECT_EQ(ParseIsoTimeMs("2019-09-23 13:44:46-04:30"), 1569262486000);
  EXPECT_EQ(ParseIsoTimeMs("2024-02-29T00:00:00"), 1709164800000);
}

TEST(IsoTimeTest, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2019", "2019-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2019-09-23T24:00:00Z",
                           "2019-09-23T18:61:46Z", "2019-09-23T18:14:46+9", "2019-09-23T18:14:46.Z",
                           "2019-09-23T18:14:46Z ", "-019-09-23T18:14:46Z", "yesterday"}) {
    EXPECT_EQ(ParseIsoTimeMs(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace channel
