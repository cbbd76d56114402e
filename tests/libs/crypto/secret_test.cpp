#include "libs/crypto/secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

namespace crypto {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(Printable<std::string>);
static_assert(!Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string> && !std::is_convertible_v<Secret, std::string_view>);

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() {
    char pattern[] = "/tmp/mesh_secret_XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~SecretFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(std::string_view bytes) const {
    const std::string path = folder_ + "/secret";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string folder_;
};

TEST_F(SecretFileTest, ReadsAllButOneTrailingNewline) {
  EXPECT_EQ(Secret::FromFile(Write("token"))->Reveal(), "token");
  EXPECT_EQ(Secret::FromFile(Write("token\n"))->Reveal(), "token");
  EXPECT_EQ(Secret::FromFile(Write("token\r\n"))->Reveal(), "token");
  EXPECT_EQ(Secret::FromFile(Write("token\n\n"))->Reveal(), "token\n");
  EXPECT_EQ(Secret::FromFile(Write("token\r"))->Reveal(), "token\r");
  EXPECT_EQ(Secret::FromFile(Write(" to ken "))->Reveal(), " to ken ");
}

TEST_F(SecretFileTest, NamesWhatIsWrong) {
  EXPECT_EQ(Secret::FromFile(folder_ + "/absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Secret::FromFile(Write("")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Secret::FromFile(Write("\n")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Secret::FromFile(folder_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SecretFileTest, TakesUpTo64KiB) {
  EXPECT_EQ(Secret::FromFile(Write(std::string(65536, 'x')))->Reveal().size(), 65536u);
  EXPECT_EQ(Secret::FromFile(Write(std::string(65537, 'x'))).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SecretFileTest, DoesNotWaitForAWriterOfAFifo) {
  const std::string path = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(Secret::FromFile(path).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SecretFileTest, ErrorsNeverHoldTheBytesOfTheFile) {
  const std::string path = Write(std::string(70'000, 'x') + "canary");
  EXPECT_EQ(Secret::FromFile(path).status().message().find("canary"), std::string_view::npos);
}

TEST(SecretTest, CopiesAreIndependent) {
  Secret first(std::string("first secret"));
  Secret copy = first;
  first = Secret(std::string("second"));
  EXPECT_EQ(copy.Reveal(), "first secret");
  copy = first;
  EXPECT_EQ(copy.Reveal(), "second");
}

TEST(SecretTest, MovingEmptiesAndWipesTheSource) {
  Secret source(std::string("short"));  // lives in the string object itself, where a plain move leaves it readable
  const char* bytes = source.Reveal().data();
  const Secret target = std::move(source);
  EXPECT_EQ(target.Reveal(), "short");
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): the promise under test
  EXPECT_EQ(std::string(bytes, 5), std::string(5, '\0'));
}

}  // namespace
}  // namespace crypto
