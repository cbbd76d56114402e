// Bad model files, whole and through the whole load path: reader, tokenizer, chat template, hyper-parameters, weights.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/check.h"
#include "libs/engine/make_engine.h"
#include "tests/libs/engine/bad_model_files.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their shadow memory takes terabytes of addresses
#else
constexpr bool kSanitized = false;
#endif

namespace engine {
namespace {

// What a load may take beyond what the process has: memory and mappings, the file's own among them. The largest file
// is 4 MB; the vocabulary of one has 100,000 tokens.
constexpr std::size_t kAddressesMax = 64U << 20;
constexpr std::size_t kMessageBytesMax = 512;

EngineOptions OptionsFor(const std::string& path) {
  EngineOptions options;
  options.model_path = path;
  options.threads = 1;
  options.kv_blocks = 16;
  options.block_size = 4;
  options.sequences_max = 2;
  options.step_tokens_max = 8;
  return options;
}

std::size_t AddressesInUse() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void LimitAddresses(std::size_t beyond) {
  if (kSanitized) return;
  const std::size_t most = AddressesInUse() + beyond;
  const rlimit limit{most, most};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

// Empty when the file is refused as it should be.
std::string Complaint(const BadModelFile& bad, const std::string& path) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bad.bytes.data(), static_cast<std::streamsize>(bad.bytes.size()));
  const absl::Status status = MakeEngine(OptionsFor(path)).status();
  if (status.ok()) return "was loaded";
  // ResourceExhausted would be memory that a bad file asked for.
  constexpr std::array kCodes{absl::StatusCode::kDataLoss, absl::StatusCode::kFailedPrecondition,
                              absl::StatusCode::kUnimplemented, absl::StatusCode::kNotFound};
  const std::string message(status.message());
  if (std::find(kCodes.begin(), kCodes.end(), status.code()) == kCodes.end())
    return "has a wrong code: " + status.ToString();
  if (message.find(path) == std::string::npos) return "does not name the file: " + message;
  std::string reason = message;
  reason.erase(reason.find(path), path.size());
  if (reason.find(bad.names) == std::string::npos) return "does not name " + bad.names + ": " + message;
  if (reason.size() > kMessageBytesMax) return "has a message of " + std::to_string(reason.size()) + " bytes";
  if (!std::all_of(reason.begin(), reason.end(), [](unsigned char c) { return std::isprint(c); })) {
    return "has bytes of the file in its message: " + message;
  }
  return {};
}

// The child's part: tells each name, and behind it what is wrong with how the file was refused.
void LoadAll(const std::vector<BadModelFile>& files, const std::string& path, int told) noexcept {
  LimitAddresses(kAddressesMax);
  for (const BadModelFile& bad : files) {
    dprintf(told, "%s\n", bad.name.c_str());
    const std::string complaint = Complaint(bad, path);
    if (!complaint.empty()) dprintf(told, "!%s %s\n", bad.name.c_str(), complaint.c_str());
  }
  dprintf(told, "end\n");
}

// The parent's part; returns the last line.
std::string ReadComplaints(int fd) {
  std::FILE* const told = fdopen(fd, "r");
  std::string last;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), told) != nullptr) {
    last = line.data();
    EXPECT_FALSE(last.starts_with('!')) << last;
  }
  std::fclose(told);
  return last;
}

// Goal: whatever is wrong with a model file, it is refused for that reason, in little memory, and the process goes on.
// Method: a child process with a limit on its addresses loads one file after the other and tells what it thinks of
// them. A load that wants more memory than the limit ends the child, and the last file it told of is known.
TEST(BadModelFilesTest, EachIsRefusedByNameInLittleMemory) {
  const std::vector<BadModelFile> files = BadModelFiles();
  EXPECT_GE(files.size(), 1000U);
  const TemporaryFile place("");
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(channel[0]);
    LoadAll(files, place.path(), channel[1]);
    _exit(0);
  }
  close(channel[1]);
  const std::string last = ReadComplaints(channel[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(last, "end\n") << "the process ended here, wait status " << status;
  std::printf("%zu bad model files\n", files.size());
}

// Otherwise the test above would prove nothing.
TEST(BadModelFilesTest, TheFileThatTheyAreMadeFromAnswers) {
  const TemporaryFile file(GoodModelFile());
  auto engine = MakeEngine(OptionsFor(file.path()));
  ASSERT_TRUE(engine.ok()) << engine.status();
  ResultCollector results;
  ASSERT_TRUE((*engine)->Submit(Ask("hi", 3), results.For(1)).ok());
  EXPECT_TRUE(results.Wait(1).ok());
  EXPECT_EQ(tensor::GgufDraft::Of(GoodModelFile()).Bytes(), GoodModelFile());
}

// A good file, however large, may find no memory; the process that loads it goes on.
TEST(BadModelFilesTest, NoMemoryForAGoodFileIsAnAnswer) {
  if (kSanitized) GTEST_SKIP() << "no limit on addresses under a sanitizer";
  tensor::GgufDraft draft = tensor::GgufDraft::Of(GoodModelFile());
  std::string elements;
  for (int i = 0; i < 100'000; ++i) elements += "1, ";
  draft.Put("tokenizer.chat_template", tensor::MetadataType::kString, tensor::EncodedText("{{ [" + elements + "] }}"));
  const TemporaryFile file(draft.Bytes());
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, whose heap holds nothing to be reused
  EXPECT_EXIT(
      {
        LimitAddresses(1U << 20);
        const absl::Status status = MakeEngine(OptionsFor(file.path())).status();
        std::fprintf(stderr, "%s\n", status.ToString().c_str());
        _exit(status.code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
      },
      testing::ExitedWithCode(0), "no memory to load model file");
}

}  // namespace
}  // namespace engine
