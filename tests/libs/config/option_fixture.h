#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "libs/config/option_table.h"

namespace config {

// A table with one option of each type, a YAML file and an environment that is put back afterwards.
class OptionTableTest : public testing::Test {
 protected:
  OptionTableTest() : table_("worker", "Consumes turns and produces replies.") {
    table_.Add("kafka-brokers", &brokers_, {.doc = "Bootstrap servers.", .unit = "HOST:PORT,..."});
    table_.Add("engine", &engine_, {.doc = "Which engine answers.", .choices = {"llm", "echo"}});
    table_.Add("kv-blocks", &kv_blocks_, {.doc = "Blocks of the KV cache.", .unit = "blocks", .min = 16, .max = 4096});
    table_.Add("retention-ms", &retention_ms_, {.doc = "How long.", .unit = "ms"});
    table_.Add("temperature", &temperature_, {.doc = "Randomness of answers.", .min = 0, .max = 2});
    table_.Add("relay", &relay_, {.doc = "Streams tokens."});
    table_.Add("channels", &channels_, {.doc = "Channels to serve.", .choices = {"whatsapp", "web", "api"}});
  }
  ~OptionTableTest() override {
    for (const std::string& name : environment_) unsetenv(name.c_str());
    if (!yaml_path_.empty()) unlink(yaml_path_.c_str());
  }

  void SetEnvironment(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), /*overwrite=*/1);
    environment_.push_back(name);
  }

  std::string WriteYaml(const std::string& text) {
    char path[] = "/tmp/mesh_options_XXXXXX";
    close(mkstemp(path));
    std::ofstream(path) << text;
    return yaml_path_ = path;
  }

  OptionTable::ParseResult Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "worker");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return table_.Parse(static_cast<int>(argv.size()), argv.data());
  }

  std::string ErrorOf(std::vector<std::string> arguments) {
    const OptionTable::ParseResult result = Parse(std::move(arguments));
    if (result.status.ok()) return "no error";
    EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(result.outcome, OptionTable::Outcome::kExit);
    return std::string(result.status.message());
  }

  std::string OutputOf(std::vector<std::string> arguments) {
    testing::internal::CaptureStdout();
    const OptionTable::ParseResult result = Parse(std::move(arguments));
    std::string output = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.outcome, OptionTable::Outcome::kExit);
    return output;
  }

  std::string brokers_ = "127.0.0.1:9092";
  std::string engine_ = "llm";
  std::int32_t kv_blocks_ = 1024;
  std::int64_t retention_ms_ = 691'200'000;
  double temperature_ = 0.1;
  bool relay_ = true;
  std::vector<std::string> channels_ = {"whatsapp", "web"};
  OptionTable table_;

 private:
  std::vector<std::string> environment_;
  std::string yaml_path_;
};

}  // namespace config
