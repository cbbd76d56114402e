// Alert rules name metrics by text: one that was renamed makes its alert silent for ever.
// Method: every name of every expression must stand in the golden lists, which tests of the services compare with the
// code (tests/golden/metrics).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "libs/config/yaml.h"

namespace {

using config::YamlNode;

std::string TextOf(const YamlNode& rule, const char* key) {
  const YamlNode* const node = rule.Find(key);
  return node == nullptr ? std::string() : node->scalar;
}

std::vector<YamlNode> Rules() {
  std::vector<YamlNode> rules;
  for (const auto& file : std::filesystem::directory_iterator("deploy/alerts")) {
    const auto root = config::ParseYamlFile(file.path().string());
    EXPECT_TRUE(root.ok()) << root.status();
    if (!root.ok() || root->Find("groups") == nullptr) continue;
    for (const YamlNode& group : root->Find("groups")->items) {
      EXPECT_NE(TextOf(group, "name"), "");
      if (group.Find("rules") == nullptr) continue;
      for (const YamlNode& rule : group.Find("rules")->items) rules.push_back(rule);
    }
  }
  return rules;
}

std::set<std::string> MetricsOfTheCode() {
  std::set<std::string> metrics;
  for (const auto& file : std::filesystem::directory_iterator("tests/golden/metrics")) {
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) metrics.insert(line);
  }
  return metrics;
}

bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// The words of an expression outside its label matchers, durations and grouping lists.
std::vector<std::string> WordsOf(const std::string& expression) {
  std::vector<std::string> words;
  char closing = 0;
  for (std::size_t at = 0; at < expression.size(); ++at) {
    const char c = expression[at];
    if (closing != 0) {
      if (c == closing) closing = 0;
    } else if (c == '{') {
      closing = '}';
    } else if (c == '[') {
      closing = ']';
    } else if (IsWord(c)) {
      std::size_t end = at;
      while (end < expression.size() && IsWord(expression[end])) ++end;
      const std::string word = expression.substr(at, end - at);
      words.push_back(word);
      at = end - 1;
      if (word == "by" || word == "on") closing = ')';
    }
  }
  return words;
}

TEST(AlertsTest, EveryMetricNamedIsOneOfTheCode) {
  const std::set<std::string> metrics = MetricsOfTheCode();
  ASSERT_GT(metrics.size(), 50u);
  const std::set<std::string> language = {"sum",    "by",       "on",         "or",   "and", "unless",       "rate",
                                          "offset", "increase", "group_left", "time", "max", "max_over_time"};
  std::size_t named = 0;
  for (const YamlNode& rule : Rules()) {
    for (const std::string& word : WordsOf(TextOf(rule, "expr"))) {
      const bool is_number = word.find_first_not_of("0123456789") == std::string::npos;
      const bool is_duration = word.find_first_not_of("0123456789") == word.size() - 1 &&
                               std::string("smhd").find(word.back()) != std::string::npos;
      if (is_number || is_duration || language.contains(word)) continue;
      ++named;
      EXPECT_TRUE(metrics.contains(word))
          << TextOf(rule, "alert") << " names " << word << ", which is in no list of tests/golden/metrics";
    }
  }
  EXPECT_GT(named, 15u) << "the check found almost no names: it is broken";
}

TEST(AlertsTest, EveryAlertHasANameASeverityAndTellsWhatToDo) {
  std::set<std::string> names;
  for (const YamlNode& rule : Rules()) {
    const std::string name = TextOf(rule, "alert");
    EXPECT_TRUE(names.insert(name).second) << name << " stands twice";
    ASSERT_NE(rule.Find("labels"), nullptr) << name;
    EXPECT_THAT(TextOf(*rule.Find("labels"), "severity"), testing::AnyOf("page", "ticket")) << name;
    ASSERT_NE(rule.Find("annotations"), nullptr) << name;
    EXPECT_NE(TextOf(*rule.Find("annotations"), "summary"), "") << name;
    EXPECT_NE(TextOf(*rule.Find("annotations"), "description"), "") << name;
    const std::string expression = TextOf(rule, "expr");
    for (const auto& [open, close] : {std::pair('(', ')'), std::pair('{', '}'), std::pair('[', ']')}) {
      EXPECT_EQ(std::ranges::count(expression, open), std::ranges::count(expression, close)) << name;
    }
  }
  for (const char* wanted : {"AccountTokenInvalid", "AccountTokenExpiresSoon", "AccountNotSubscribed",
                             "AccountQualityRed", "AccountRestricted", "AccountNotPolled", "AccountMessagingLimitFell",
                             "AccountTokenRefreshDue", "WebhookSignatureFailures"}) {
    EXPECT_TRUE(names.contains(wanted)) << wanted;
  }
}

}  // namespace
