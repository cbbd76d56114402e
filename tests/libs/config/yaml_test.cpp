#include "libs/config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

namespace config {
namespace {

using testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto node = ParseYaml(text);
  if (node.ok()) return "no error";
  EXPECT_EQ(node.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(node.status().message());
}

TEST(YamlTest, ReadsMapsListsAndScalarsWithTheirLines) {
  const auto root = ParseYaml(
      "accounts:\n"
      "  - tenant: acme\n"
      "    secrets: [a, 'b c']\n"
      "  - tenant: \"caf\\u00e9\"\n"
      "empty:\n"
      "prompt: |\n"
      "  Two\n"
      "  lines\n");
  ASSERT_TRUE(root.ok()) << root.status();
  ASSERT_EQ(root->kind, YamlNode::Kind::kMap);
  const YamlNode* const accounts = root->Find("accounts");
  ASSERT_NE(accounts, nullptr);
  ASSERT_EQ(accounts->items.size(), 2u);
  EXPECT_EQ(accounts->items[0].Find("tenant")->scalar, "acme");
  EXPECT_EQ(accounts->items[0].Find("secrets")->items[1].scalar, "b c");
  EXPECT_EQ(accounts->items[0].Find("secrets")->line, 3);
  EXPECT_EQ(accounts->items[1].Find("tenant")->scalar, "caf\xC3\xA9");
  EXPECT_EQ(accounts->items[1].line, 4);
  EXPECT_EQ(root->Find("empty")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root->Find("empty")->line, 5);
  EXPECT_EQ(root->Find("prompt")->scalar, "Two\nlines\n");
  EXPECT_EQ(root->Find("absent"), nullptr);
  EXPECT_EQ(accounts->Find("tenant"), nullptr);  // a list has no keys
}

TEST(YamlTest, KeepsTheOrderOfKeys) {
  const auto root = ParseYaml("b: 1\na: 2\nc: 3\n");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->fields[0].first + root->fields[1].first + root->fields[2].first, "bac");
}

TEST(YamlTest, AnEmptyDocumentIsNull) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "~"}) {
    const auto root = ParseYaml(text);
    ASSERT_TRUE(root.ok()) << text << root.status();
    EXPECT_EQ(root->kind, YamlNode::Kind::kNull) << text;
  }
}

TEST(YamlTest, NamesTheLineOfAMistake) {
  EXPECT_THAT(ErrorOf("a: 1\nb: [1, 2\nc: 3\n"), HasSubstr("line "));
  EXPECT_THAT(ErrorOf("a: 1\n\nb: 2\na: 3\n"),
              testing::AllOf(HasSubstr("line 4"), HasSubstr("the key a is there twice")));
  EXPECT_THAT(ErrorOf("a: 1\n\tb: 2\n"), HasSubstr("line 2"));
}

TEST(YamlTest, RefusesWhatItLeavesOut) {
  EXPECT_THAT(ErrorOf("a: &x 1\nb: *x\n"), HasSubstr("aliases are not supported"));
  EXPECT_THAT(ErrorOf("{[1, 2]: 3}"), HasSubstr("a key must be a scalar"));
  EXPECT_THAT(ErrorOf("~: 3"), HasSubstr("a key must be a scalar"));
  EXPECT_THAT(ErrorOf("a: 1\n---\nb: 2\n"), HasSubstr("more than one document"));
  EXPECT_THAT(ErrorOf("a: \xFF\n"), HasSubstr("not UTF-8"));
}

TEST(YamlTest, HoldsItsLimits) {
  EXPECT_TRUE(ParseYaml(std::string(32, '[') + std::string(32, ']')).ok());
  EXPECT_THAT(ErrorOf(std::string(33, '[') + std::string(33, ']')), HasSubstr("more than 32 levels"));
  EXPECT_THAT(ErrorOf(std::string(500'000, '[')), HasSubstr("line 1"));  // no deep recursion either
  EXPECT_THAT(ErrorOf(std::string(1024 * 1024 + 1, ' ')), HasSubstr("larger than 1 MiB"));
}

// Goal: no text, however broken, ends the process or leaves as an exception.
// Method: a valid document with random bytes replaced, from a printed seed.
TEST(YamlTest, SurvivesRandomDamage) {
  constexpr unsigned kSeed = 1204;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  const std::string valid = "a:\n  - b: \"c\"\n    d: [1, {e: f}]\n  - |\n    text\ng: 'h'\n";
  const std::string alphabet = "-:[]{}\"'|>&*!%@`#,? \n\tab\\";
  int readable = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = valid;
    for (int i = 0; i < 3; ++i) text[rng() % text.size()] = alphabet[rng() % alphabet.size()];
    if (ParseYaml(text).ok()) ++readable;
  }
  EXPECT_GT(readable, 100);
  EXPECT_LT(readable, 20'000);
}

TEST(YamlFileTest, NamesTheFile) {
  char path[] = "/tmp/mesh_yaml_XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "a: [";
  const auto node = ParseYamlFile(path);
  EXPECT_THAT(std::string(node.status().message()), HasSubstr(path));
  unlink(path);
  EXPECT_EQ(ParseYamlFile(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ParseYamlFile("/tmp").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace config
