#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "libs/telemetry/log.h"

namespace telemetry {
namespace {

std::vector<std::string> LinesOf(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The writer is one a process, so the whole life of one is a single test: start, many threads at once, a burst above
// the queue's maximum, the end.
TEST(LogWriterTest, WritesEveryLineOnceOrCountsItAsDropped) {
  char folder[] = "/tmp/mesh_log_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/log.jsonl";
  ASSERT_TRUE(StartLogging({.service = "gateway", .level = LogLevel::kDebug, .path = path}).ok());
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  Log(LogLevel::kDebug, "first", {{"n", 1}});
  FlushLogs();
  ASSERT_EQ(LinesOf(path).size(), 1u);
  EXPECT_THAT(LinesOf(path)[0],
              testing::HasSubstr("\"level\":\"debug\",\"service\":\"gateway\",\"event\":\"first\",\"n\":1}"));
  EXPECT_EQ(LogLinesDropped(), 0);

  constexpr int kThreads = 4;
  constexpr int kLinesEach = 20'000;  // 80,000 in all, ten queues full
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([thread] {
      for (int i = 0; i < kLinesEach; ++i) LogInfo("burst", {{"thread", thread}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  LogInfo("last");
  FlushLogs();

  const std::vector<std::string> lines = LinesOf(path);
  EXPECT_THAT(lines.back(), testing::HasSubstr("\"event\":\"last\""));  // the oldest are dropped, never the newest
  std::vector<int> next(kThreads, 0);
  for (const std::string& line : lines) {
    ASSERT_TRUE(line.starts_with("{\"ts\":") && line.ends_with("}")) << line;
    int thread = 0;
    int i = 0;
    const std::size_t at = line.find("\"thread\":");
    if (at == std::string::npos) continue;
    ASSERT_EQ(std::sscanf(line.c_str() + at, "\"thread\":%d,\"i\":%d}", &thread, &i), 2) << line;
    ASSERT_GE(i, next[static_cast<std::size_t>(thread)]) << "lines of a thread keep their order";
    next[static_cast<std::size_t>(thread)] = i + 1;
  }
  EXPECT_EQ(static_cast<std::int64_t>(lines.size()) + LogLinesDropped(), kThreads * kLinesEach + 2);
  unlink(path.c_str());
  rmdir(folder);
}

}  // namespace
}  // namespace telemetry
