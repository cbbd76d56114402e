#include "services/worker/load_progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/fake_clock.h"

namespace worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kTotal = 8'000'000'000;

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

class LoadProgressTest : public testing::Test {
 protected:
  // What `run` writes to standard error where that is a file or a pipe.
  static std::string Logged(const std::function<void()>& run) {
    testing::internal::CaptureStderr();
    run();
    return testing::internal::GetCapturedStderr();
  }

  // What it writes there where that is a terminal.
  static std::string OnTerminal(const std::function<void()>& run) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    EXPECT_TRUE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    const int kept = dup(STDERR_FILENO);
    EXPECT_TRUE(terminal >= 0 && kept >= 0);
    termios raw{};
    EXPECT_EQ(tcgetattr(terminal, &raw), 0);
    cfmakeraw(&raw);  // bytes arrive as they were written
    EXPECT_EQ(tcsetattr(terminal, TCSANOW, &raw), 0);
    dup2(terminal, STDERR_FILENO);
    run();
    std::fflush(stderr);
    dup2(kept, STDERR_FILENO);
    std::string written;
    char bytes[4096];
    for (ssize_t count; (count = read(master, bytes, sizeof(bytes))) > 0;) {
      written.append(bytes, static_cast<std::size_t>(count));
    }
    for (int descriptor : {kept, terminal, master}) close(descriptor);
    return written;
  }

  fakes::FakeClock clock_;
};

TEST_F(LoadProgressTest, WhatLoadsInTwoSecondsIsNotShown) {
  const auto load = [&] {
    LoadProgress progress(clock_);
    for (int i = 0; i < 19; ++i) {
      clock_.Advance(milliseconds(100));
      progress.Show(kTotal / 19 * i, kTotal);
    }
    progress.Show(kTotal, kTotal);
    progress.End();
  };
  EXPECT_EQ(Logged(load), "");
  EXPECT_EQ(OnTerminal(load), "");
}

TEST_F(LoadProgressTest, ATerminalGetsABarThatMovesFiveTimesASecondAndALineOfItsOwn) {
  const std::string written = OnTerminal([&] {
    LoadProgress progress(clock_);
    clock_.Advance(seconds(2));
    for (int i = 0; i < 1000; ++i) {  // a second
      progress.Show(kTotal / 4, kTotal);
      clock_.Advance(milliseconds(1));
    }
    clock_.Advance(seconds(1));
    progress.Show(kTotal / 2, kTotal);
    progress.End();
    progress.End();  // once is enough
  });
  const std::string quarter = absl::StrCat("[", std::string(10, '#'), std::string(30, '.'), "]  25 % of 8.0 GB");
  const std::string half = absl::StrCat("[", std::string(20, '#'), std::string(20, '.'), "]  50 % of 8.0 GB, 1.0 GB/s");
  EXPECT_EQ(Count(written, quarter), 5) << written;
  EXPECT_EQ(Count(written, half), 1) << written;
  EXPECT_EQ(Count(written, "\r"), 6) << "the bar stays on its line: " << written;
  EXPECT_EQ(Count(written, "\n"), 1) << written;
  EXPECT_TRUE(absl::EndsWith(written, "\n")) << written;
  EXPECT_THAT(written, Not(HasSubstr("loading_weights")));
}

TEST_F(LoadProgressTest, ElsewhereALogLineComesEveryTenSeconds) {
  const std::string written = Logged([&] {
    LoadProgress progress(clock_);
    for (int i = 0; i < 40; ++i) {
      clock_.Advance(seconds(1));
      progress.Show(kTotal / 100 * i, kTotal);
    }
    progress.End();
  });
  EXPECT_EQ(Count(written, R"("event":"loading_weights")"), 4) << written;  // after 2, 12, 22 and 32 s
  for (const char* percent : {R"("percent":1)", R"("percent":11)", R"("percent":21)", R"("percent":31)"}) {
    EXPECT_EQ(Count(written, absl::StrCat(percent, ",")), 1) << percent << written;
  }
  EXPECT_EQ(Count(written, "\n"), 4) << "no bar's line to leave: " << written;
  EXPECT_THAT(written, Not(HasSubstr("#")));
}

// Whatever the interval: who sees 97 % last waits for the rest.
TEST_F(LoadProgressTest, WhatWasShownEndsAtAHundredPercent) {
  const auto load = [&] {
    LoadProgress progress(clock_);
    clock_.Advance(seconds(3));
    progress.Show(kTotal / 100 * 97, kTotal);
    clock_.Advance(milliseconds(1));
    progress.Show(kTotal, kTotal);
    progress.End();
  };
  EXPECT_THAT(Logged(load), HasSubstr(R"("percent":100,)"));
  EXPECT_THAT(OnTerminal(load), HasSubstr(absl::StrCat("[", std::string(40, '#'), "] 100 % of 8.0 GB")));
}

TEST_F(LoadProgressTest, MoreThanAllIsAHundredPercentAndNothingIsNotShown) {
  EXPECT_EQ(Logged([&] {
              LoadProgress progress(clock_);
              clock_.Advance(seconds(3));
              progress.Show(0, 0);
            }),
            "");
  EXPECT_THAT(OnTerminal([&] {
                LoadProgress progress(clock_);
                clock_.Advance(seconds(3));
                progress.Show(2 * kTotal, kTotal);
              }),
              HasSubstr(absl::StrCat("[", std::string(40, '#'), "] 100 %")));
}

}  // namespace
}  // namespace worker
