#include "loadtest/fake_channel_api/send_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace fake_channel_api {
namespace {

Send MakeSend(std::string user, std::string text) {
  return {.ts_ms = 5,
          .channel = mesh::bus::v1::CHANNEL_WHATSAPP,
          .account = "1",
          .user = std::move(user),
          .message_id = "m",
          .text = std::move(text)};
}

TEST(SendLogTest, LinesHaveTheDocumentedFields) {
  EXPECT_EQ(ToJsonLine(MakeSend("u", "a\nb")),
            R"({"ts_ms":5,"channel":"whatsapp","account":"1","user":"u","message_id":"m","text":"a\nb",)"
            R"("reply_id":"","in_reply_to":"","traceparent":""})");
}

TEST(SendLogTest, FileHoldsEachLineAndSurvivesARestart) {
  const std::string path = ::testing::TempDir() + "sends-" + std::to_string(::getpid()) + ".jsonl";
  std::remove(path.c_str());
  for (const char* text : {"first", "second"}) {
    auto log = SendLog::Open(path, /*fsync=*/true);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Append(MakeSend("u", text)).ok());
  }
  std::ifstream file(path);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  EXPECT_EQ(bytes.str(), ToJsonLine(MakeSend("u", "first")) + "\n" + ToJsonLine(MakeSend("u", "second")) + "\n");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  std::remove(path.c_str());
}

TEST(SendLogTest, PathThatCannotBeOpenedIsNamed) {
  const auto log = SendLog::Open("/nowhere/sends.jsonl", false);
  EXPECT_EQ(log.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(log.status().message()).find("/nowhere/sends.jsonl"), std::string::npos);
}

TEST(SendLogTest, PagesGoOnWhereTheLastEnded) {
  const auto log = *SendLog::Open("", false);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(log->Append(MakeSend(i % 2 == 0 ? "even" : "odd", std::to_string(i))).ok());
  SendLog::Page page = log->Read(0, "even", 2);
  EXPECT_EQ(page.next, 3u);
  EXPECT_EQ(page.lines, ToJsonLine(MakeSend("even", "0")) + "\n" + ToJsonLine(MakeSend("even", "2")) + "\n");
  page = log->Read(page.next, "even", 2);
  EXPECT_EQ(page.lines, ToJsonLine(MakeSend("even", "4")) + "\n");
  EXPECT_EQ(log->Read(page.next, "", 9).lines, "");
  EXPECT_EQ(log->Read(1000, "", 9).next, 1000u);  // ahead of the log: nothing yet
}

TEST(SendLogTest, MemoryIsBoundedAndWhatIsGoneIsSaid) {
  const auto log = *SendLog::Open("", false);
  const std::string text(1 << 20, 'x');
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(log->Append(MakeSend("u", text)).ok());
  const SendLog::Page page = log->Read(0, "", SendLog::kSendsMax);
  EXPECT_LE(page.lines.size(), SendLog::kBytesMax);
  EXPECT_GT(page.dropped, 0u);
  EXPECT_EQ(page.next, 70u);
}

}  // namespace
}  // namespace fake_channel_api
