#include "libs/engine/tools/bench/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace engine::bench {
namespace {

absl::StatusOr<Options> Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"engine_bench", "--model=m.gguf"});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return ParseOptions(static_cast<int>(pointers.size()), pointers.data());
}

TEST(BenchOptionsTest, OfAnOptionGivenTwiceTheLastCounts) {
  EXPECT_EQ(Parse({"--kv=q8", "--kv=auto"})->kv, "auto");
  EXPECT_EQ(Parse({"--kv=auto", "--kv=q8"})->kv, "q8");
  EXPECT_EQ(Parse({"--activations=f32", "--activations=int8"})->activations, "int8");
  EXPECT_EQ(Parse({"--batch=1,8", "--batch=4"})->batches, (std::vector<std::int32_t>{4}));
}

TEST(BenchOptionsTest, UnknownNamesAndValuesAreToldWithWhatWouldFit) {
  for (const auto& [argument, told] : {std::pair("--kv=q4", "auto, f16 or q8"),
                                       {"--activations=", "int8 or f32"},
                                       {"--threads=0", "1 to 256"},
                                       {"--batch=1,,2", "1 to 1024"},
                                       {"--tokens=1", "--help"}}) {
    const absl::Status status = Parse({argument}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << argument;
    EXPECT_NE(std::string(status.message()).find(told), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace engine::bench
