#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/libs/config/option_fixture.h"

// Where values come from: YAML file, environment, flags, and which of them wins.
namespace config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(OptionTableTest, FlagBeatsEnvironmentBeatsOwnSectionBeatsCommon) {
  const std::string path = WriteYaml(
      "common: {kafka_brokers: common, engine: echo, kv_blocks: 17, retention_ms: 1}\n"
      "worker: {kafka_brokers: section, engine: llm, kv_blocks: 18}\n");
  SetEnvironment("MESH_KAFKA_BROKERS", "environment");
  SetEnvironment("MESH_ENGINE", "echo");
  ASSERT_TRUE(Parse({"--config=" + path, "--kafka-brokers=flag"}).status.ok());
  EXPECT_EQ(brokers_, "flag");
  EXPECT_EQ(engine_, "echo");
  EXPECT_EQ(kv_blocks_, 18);
  EXPECT_EQ(retention_ms_, 1);
  EXPECT_EQ(temperature_, 0.1);
}

TEST_F(OptionTableTest, TheFileCanBeNamedByTheEnvironmentAndTheFlagWins) {
  SetEnvironment("MESH_CONFIG", WriteYaml("worker: {kv_blocks: 99}\n"));
  ASSERT_TRUE(Parse({}).status.ok());
  EXPECT_EQ(kv_blocks_, 99);
  EXPECT_THAT(ErrorOf({"--config=/does/not/exist"}), HasSubstr("/does/not/exist"));
}

TEST_F(OptionTableTest, ReadsListsNullsAndFlagsFromYaml) {
  ASSERT_TRUE(Parse({"--config", WriteYaml("worker:\n  channels: [api, web]\n  relay: false\n  kafka_brokers:\n")})
                  .status.ok());
  EXPECT_THAT(channels_, ElementsAre("api", "web"));
  EXPECT_FALSE(relay_);
  EXPECT_EQ(brokers_, "");
  ASSERT_TRUE(Parse({"--config", WriteYaml("worker: {channels: whatsapp}\n")}).status.ok());
  EXPECT_THAT(channels_, ElementsAre("whatsapp"));
  ASSERT_TRUE(Parse({"--config", WriteYaml("worker: {channels: []}\n")}).status.ok());
  EXPECT_THAT(channels_, IsEmpty());
}

TEST_F(OptionTableTest, AnEmptyFileAndEmptySectionsAreFine) {
  EXPECT_TRUE(Parse({"--config", WriteYaml("")}).status.ok());
  EXPECT_TRUE(Parse({"--config", WriteYaml("worker:\ncommon:\n")}).status.ok());
}

TEST_F(OptionTableTest, MistakesInTheFileNameItsLineAndKey) {
  const std::string path = WriteYaml(
      "worker:\n"
      "  kv_blocks: 3\n"
      "  kafka_broker: k:1\n"
      "  engine: [llm]\n"
      "  temperature:\n");
  EXPECT_THAT(ErrorOf({"--config", path}),
              AllOf(HasSubstr(path + ":2: kv_blocks: \"3\" must be 16 to 4096 blocks"),
                    HasSubstr(path + ":3: unknown key kafka_broker; did you mean kafka_brokers?"),
                    HasSubstr(path + ":4: engine: "), HasSubstr(path + ":5: temperature: ")));
}

TEST_F(OptionTableTest, SectionsOfOtherServicesAreTheirs) {
  EXPECT_TRUE(Parse({"--config", WriteYaml("gateway: {anything: 1}\nsender: {kv_blocks: -5}\n")}).status.ok());
}

TEST_F(OptionTableTest, ASectionThatNoServiceHasIsAMistake) {
  EXPECT_THAT(ErrorOf({"--config", WriteYaml("wroker: {kv_blocks: 32}\n")}),
              HasSubstr("unknown section wroker; did you mean worker?"));
  EXPECT_THAT(ErrorOf({"--config", WriteYaml("- kv_blocks: 32\n")}), HasSubstr("must be a map of sections"));
  EXPECT_THAT(ErrorOf({"--config", WriteYaml("worker: 32\n")}), HasSubstr("must be a map of options"));
}

TEST_F(OptionTableTest, CommonMayHoldOptionsOfOtherServicesButNoMisspeltOnes) {
  EXPECT_TRUE(Parse({"--config", WriteYaml("common: {graph_base_url: x}\n")}).status.ok());
  EXPECT_THAT(ErrorOf({"--config", WriteYaml("common: {kafka_brokrs: x}\n")}),
              HasSubstr("unknown key kafka_brokrs; did you mean kafka_brokers?"));
}

TEST_F(OptionTableTest, ASubCommandReadsTheSectionOfItsProgram) {
  OptionTable table("meshctl send", "Sends a signed test webhook.");
  std::string text = "Hello";
  table.Add("text", &text, {.doc = "What to say."});
  const std::string path = WriteYaml("meshctl: {text: Hi, option_of_another_command: 1}\n");
  const std::string flag = "--config=" + path;
  const char* const argv[] = {"send", flag.c_str()};
  const auto result = table.Parse(2, argv);
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(text, "Hi");
}

TEST_F(OptionTableTest, MistakesInTheEnvironmentNameTheVariable) {
  SetEnvironment("MESH_KV_BLOCKS", "many");
  EXPECT_THAT(ErrorOf({}), HasSubstr("environment MESH_KV_BLOCKS=\"many\" must be 16 to 4096 blocks"));
}

TEST_F(OptionTableTest, AValueThatLosesIsStillChecked) {
  SetEnvironment("MESH_KV_BLOCKS", "many");
  EXPECT_THAT(ErrorOf({"--kv-blocks=32"}), HasSubstr("MESH_KV_BLOCKS"));
}

TEST_F(OptionTableTest, UnknownVariablesAreSkipped) {
  SetEnvironment("MESH_SOMETHING_ELSE", "1");
  EXPECT_TRUE(Parse({}).status.ok());
}

// --print-config is itself a YAML file, so that what it prints can be used to start the same process again.
TEST_F(OptionTableTest, PrintConfigShowsValuesWithSourcesAndReadsBack) {
  SetEnvironment("MESH_TEMPERATURE", "0.25");
  const std::string printed = OutputOf({"--print-config", "--kafka-brokers=a\"b\\c", "--channels=api"});
  EXPECT_THAT(printed, AllOf(HasSubstr("worker:\n"), HasSubstr("  kv_blocks: 1024  # default\n"),
                             HasSubstr("  temperature: 0.25  # MESH_TEMPERATURE\n"),
                             HasSubstr("  kafka_brokers: \"a\\\"b\\\\c\"  # flag --kafka-brokers\n"),
                             HasSubstr("  channels: [\"api\"]  # flag --channels\n")));
  const std::string path = WriteYaml(printed);
  brokers_ = "changed";
  channels_ = {};
  ASSERT_TRUE(Parse({"--config", path}).status.ok());
  EXPECT_EQ(brokers_, "a\"b\\c");
  EXPECT_THAT(channels_, ElementsAre("api"));
}

}  // namespace
}  // namespace config
