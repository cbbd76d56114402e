#include "libs/config/option_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/config/version.h"
#include "tests/libs/config/option_fixture.h"

namespace config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(OptionTableTest, KeepsDefaultsWhenNothingIsGiven) {
  EXPECT_TRUE(Parse({}).status.ok());
  EXPECT_EQ(kv_blocks_, 1024);
  EXPECT_EQ(brokers_, "127.0.0.1:9092");
}

TEST_F(OptionTableTest, TakesEveryTypeAsAFlag) {
  const auto result =
      Parse({"--kafka-brokers=k1:9092,k2:9092", "--engine=echo", "--kv-blocks=16",
             "--retention-ms=-9223372036854775808", "--temperature=1.5e-1", "--no-relay", "--channels= api , web"});
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.outcome, OptionTable::Outcome::kRun);
  EXPECT_EQ(brokers_, "k1:9092,k2:9092");
  EXPECT_EQ(engine_, "echo");
  EXPECT_EQ(kv_blocks_, 16);
  EXPECT_EQ(retention_ms_, INT64_MIN);
  EXPECT_EQ(temperature_, 0.15);
  EXPECT_FALSE(relay_);
  EXPECT_THAT(channels_, ElementsAre("api", "web"));
}

TEST_F(OptionTableTest, TakesTheNextArgumentAsValue) {
  ASSERT_TRUE(Parse({"--kv-blocks", "32", "--retention-ms", "-1", "--kafka-brokers", "k:1"}).status.ok());
  EXPECT_EQ(kv_blocks_, 32);
  EXPECT_EQ(retention_ms_, -1);
  EXPECT_EQ(brokers_, "k:1");
}

TEST_F(OptionTableTest, ABareFlagIsTrueAndTakesNoNextArgument) {
  relay_ = false;
  EXPECT_THAT(ErrorOf({"--relay", "false"}), HasSubstr("unexpected argument false"));
  ASSERT_TRUE(Parse({"--relay"}).status.ok());
  EXPECT_TRUE(relay_);
  ASSERT_TRUE(Parse({"--relay=false"}).status.ok());
  EXPECT_FALSE(relay_);
}

TEST_F(OptionTableTest, TheLastOfSeveralFlagsCounts) {
  ASSERT_TRUE(Parse({"--kv-blocks=32", "--kv-blocks=64", "--relay", "--no-relay"}).status.ok());
  EXPECT_EQ(kv_blocks_, 64);
  EXPECT_FALSE(relay_);
}

TEST_F(OptionTableTest, AnEmptyTextAndAnEmptyListAreValues) {
  ASSERT_TRUE(Parse({"--kafka-brokers=", "--channels="}).status.ok());
  EXPECT_EQ(brokers_, "");
  EXPECT_THAT(channels_, IsEmpty());
}

TEST_F(OptionTableTest, BoundsAreInclusive) {
  EXPECT_TRUE(Parse({"--kv-blocks=16"}).status.ok());
  EXPECT_TRUE(Parse({"--kv-blocks=4096"}).status.ok());
  EXPECT_THAT(ErrorOf({"--kv-blocks=15"}), Eq("flag --kv-blocks=15: must be 16 to 4096 blocks"));
  EXPECT_THAT(ErrorOf({"--kv-blocks=4097"}), HasSubstr("16 to 4096 blocks"));
  EXPECT_THAT(ErrorOf({"--temperature=2.01"}), HasSubstr("0 to 2"));
}

TEST_F(OptionTableTest, RefusesWhatIsNoNumber) {
  for (const std::string value : {"", " 32", "32 ", "32x", "0x20", "3.5", "1e3", "+32", "99999999999", "--"}) {
    EXPECT_THAT(ErrorOf({"--kv-blocks=" + value}), HasSubstr("must be 16 to 4096 blocks")) << value;
  }
  for (const std::string value : {"nan", "inf", "-inf", "1e999", "1,5", "abc", ""}) {
    EXPECT_THAT(ErrorOf({"--temperature=" + value}), HasSubstr("must be 0 to 2")) << value;
  }
  EXPECT_THAT(ErrorOf({"--retention-ms=9223372036854775808"}), HasSubstr("must be a whole number of ms"));
}

TEST_F(OptionTableTest, RefusesWhatIsNoChoice) {
  EXPECT_THAT(ErrorOf({"--engine=LLM"}), Eq("flag --engine=LLM: must be llm | echo"));
  EXPECT_THAT(ErrorOf({"--channels=web,telegram"}),
              HasSubstr("must be a comma-separated list of whatsapp | web | api"));
  EXPECT_THAT(ErrorOf({"--relay=maybe"}), HasSubstr("must be true | false"));
}

TEST_F(OptionTableTest, NamesTheNearestFlagForAnUnknownOne) {
  EXPECT_THAT(ErrorOf({"--kafka-broker=k:1"}), Eq("unknown flag --kafka-broker; did you mean --kafka-brokers?"));
  EXPECT_THAT(ErrorOf({"--kv_blocks", "5"}), Eq("unknown flag --kv_blocks; did you mean --kv-blocks?"));
  EXPECT_THAT(ErrorOf({"--hlep"}), HasSubstr("did you mean --help?"));
  EXPECT_THAT(ErrorOf({"--no-kv-blocks"}), HasSubstr("unknown flag --no-kv-blocks"));
  EXPECT_THAT(ErrorOf({"--quantum"}), HasSubstr("--help lists all"));
  EXPECT_THAT(ErrorOf({"-x"}), HasSubstr("unknown flag -x"));
}

TEST_F(OptionTableTest, ListsAllMistakesAtOnce) {
  EXPECT_THAT(ErrorOf({"--kv-blocks=1", "--nothing-like-it=2", "--engine=x", "stray"}),
              AllOf(HasSubstr("--kv-blocks=1"), HasSubstr("--nothing-like-it"), HasSubstr("--engine=x"),
                    HasSubstr("unexpected argument stray")));
}

TEST_F(OptionTableTest, SaysWhenAValueIsMissing) {
  EXPECT_THAT(ErrorOf({"--kv-blocks"}), Eq("--kv-blocks needs a value: 16 to 4096 blocks"));
  EXPECT_THAT(ErrorOf({"--kv-blocks", "--relay"}), HasSubstr("--kv-blocks needs a value"));
  EXPECT_THAT(ErrorOf({"--config"}), HasSubstr("--config needs a value"));
  EXPECT_THAT(ErrorOf({"--no-relay=true"}), HasSubstr("--no-relay takes no value"));
}

TEST_F(OptionTableTest, CollectsPositionalsWhereAllowed) {
  std::vector<std::string> files;
  table_.AllowPositionals(&files, "FILE...", "Webhook bodies.");
  ASSERT_TRUE(Parse({"a.json", "--engine=echo", "-", "b.json", "--", "--odd-name"}).status.ok());
  EXPECT_THAT(files, ElementsAre("a.json", "-", "b.json", "--odd-name"));
  EXPECT_EQ(engine_, "echo");
}

TEST_F(OptionTableTest, HelpNamesEveryOptionDefaultBoundAndExample) {
  table_.AddExample("worker --engine=echo", "Answers without a model.");
  const std::string help = OutputOf({"--help", "--unknown"});
  for (const char* part : {"worker: Consumes turns", "--kafka-brokers=HOST:PORT,...", "--engine=llm|echo",
                           "Default: 1024.", "Allowed: 16 to 4096 blocks.", "[MESH_KV_BLOCKS]", "--[no-]relay",
                           "--channels=whatsapp|web|api", "worker --engine=echo", "Answers without a model."}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_EQ(OutputOf({"-h"}), help);
}

TEST_F(OptionTableTest, VersionNamesProgramVersionAndCommit) {
  EXPECT_EQ(OutputOf({"--version"}),
            "musemesh worker " + std::string(Version()) + " (" + std::string(Commit()) + ")\n");
  EXPECT_THAT(std::string(Version()), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(Commit().empty());
}

TEST_F(OptionTableTest, MarkdownHasARowForEachOption) {
  const std::string markdown = table_.ToMarkdown();
  EXPECT_THAT(markdown, HasSubstr("## worker\n\nConsumes turns and produces replies.\n"));
  EXPECT_THAT(markdown,
              HasSubstr("| `--kv-blocks` | `MESH_KV_BLOCKS` | `worker.kv_blocks` | `1024` | 16 to 4096 blocks | "
                        "Blocks of the KV cache. |\n"));
  EXPECT_THAT(markdown, HasSubstr("llm \\| echo"));
}

// The generated file must not depend on who generates it.
TEST_F(OptionTableTest, MarkdownShowsDefaultsNotPresentValues) {
  const std::string before = table_.ToMarkdown();
  ASSERT_TRUE(Parse({"--kv-blocks=64"}).status.ok());
  EXPECT_EQ(table_.ToMarkdown(), before);
}

using OptionTableDeathTest = OptionTableTest;

TEST_F(OptionTableDeathTest, RefusesATableThatContradictsItself) {
  std::int32_t number = 0;
  std::string text = "c";
  EXPECT_DEATH(table_.Add("kv-blocks", &number, {.doc = "Twice."}), "kv-blocks");
  EXPECT_DEATH(table_.Add("Big", &number, {.doc = "Upper case."}), "Big");
  EXPECT_DEATH(table_.Add("no-cache", &number, {.doc = "Means --cache."}), "no-cache");
  EXPECT_DEATH(table_.Add("help", &number, {.doc = "Reserved."}), "help");
  EXPECT_DEATH(table_.Add("small", &number, {.doc = "Default below the minimum.", .min = 1, .max = 2}), "small");
  EXPECT_DEATH(table_.Add("choice", &text, {.doc = "Default is no choice.", .choices = {"a", "b"}}), "choice");
  EXPECT_DEATH(table_.Add("silent", &number, {}), "silent");
}

}  // namespace
}  // namespace config
