#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "services/meshctl/command.h"

// The command as a shell calls it, in the root of the project.
namespace meshctl {
namespace {

struct Result {
  int code = 0;
  std::string out;
};

Result Decode(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "decode");
  ::testing::internal::CaptureStdout();
  Result result;
  result.code = RunDecode(static_cast<int>(arguments.size()), arguments.data());
  std::fflush(stdout);
  result.out = ::testing::internal::GetCapturedStdout();
  return result;
}

std::string Expected(const std::string& name) {
  std::ifstream file("tests/golden/webhooks/" + name + ".expected.json");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(DecodeCommandTest, PrintsOneLineForEachFile) {
  const Result result = Decode({"--channel=whatsapp", "tests/golden/webhooks/whatsapp/text.json",
                                "tests/golden/webhooks/whatsapp/rejected_truncated.json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, Expected("whatsapp/text") + Expected("whatsapp/rejected_truncated"));
}

TEST(DecodeCommandTest, FileThatCannotBeReadHasALineAndACode) {
  for (const char* path : {"/nowhere/body.json", "/"}) {
    const Result result = Decode({"--channel=instagram", path});
    EXPECT_EQ(result.code, 1) << path;
    EXPECT_NE(result.out.find(R"("status":"rejected")"), std::string::npos) << path;
  }
}

TEST(DecodeCommandTest, WrongUseIsSaid) {
  EXPECT_EQ(Decode({"--channel=whatsapp"}).code, 2);
  EXPECT_EQ(Decode({"--channel=telegraph", "x.json"}).code, 2);
}

}  // namespace
}  // namespace meshctl
