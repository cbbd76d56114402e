#include "libs/telemetry/internal/line_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace telemetry::internal {
namespace {

TEST(LineSinkTest, CountsLinesThatADiskWithoutSpaceRefuses) {
  const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  LineSink sink(fd);
  sink.Write("one\n");
  sink.Write("two\n");
  EXPECT_EQ(sink.lines_failed(), 2);
  close(fd);
}

// Goal: a line torn by a full disk costs one line, not the next one too.
// Method: a file size limit of 10 bytes stands for the full disk and is lifted afterwards.
TEST(LineSinkTest, StartsANewLineAfterATornOne) {
  char path[] = "/tmp/mesh_line_sink_XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);

  LineSink sink(fd);
  sink.Write("first\n");
  sink.Write("second, too long\n");
  sink.Write("third, no room at all\n");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(sink.lines_failed(), 2);

  sink.Write("fourth\n");
  EXPECT_EQ(sink.lines_failed(), 2);
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, "first\nseco\nfourth\n");
  close(fd);
  unlink(path);
}

}  // namespace
}  // namespace telemetry::internal
