// Compares the template engine with Jinja2 on published templates and on one snippet a feature; generate.py beside this
// file says how golden.tsv was made.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/chat_template/template.h"
#include "libs/unicode/utf8.h"
#include "tests/golden/escaped_text.h"
#include "tests/golden/model_path.h"

namespace chat_template {
namespace {

constexpr std::string_view kFolder = "tests/golden/chat_template/";
constexpr std::string_view kSnippet = "snippet:";
constexpr std::string_view kRefused = "!refused ";

std::string ReadFile(const std::string& name) {
  const std::string path = golden::SourcePath(base::StrCat(kFolder, name));
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

using Conversations = std::map<std::string, std::vector<Message>, std::less<>>;

Conversations ReadConversations() {
  Conversations conversations;
  const std::string text = ReadFile("conversations.tsv");
  for (const std::string_view line : golden::Split(text, '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    std::vector<Message>& messages = conversations[std::string(fields[0])];
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const std::size_t equals = fields[i].find('=');
      messages.push_back({.role = std::string(fields[i].substr(0, equals)),
                          .content = golden::Unescaped(fields[i].substr(equals + 1))});
    }
  }
  return conversations;
}

Inputs MakeInputs(std::vector<Message> messages, bool add_generation_prompt) {
  using std::chrono::sys_days;
  Inputs inputs;
  inputs.messages = std::move(messages);
  inputs.add_generation_prompt = add_generation_prompt;
  inputs.bos_token = "<s>";
  inputs.eos_token = "</s>";
  inputs.now = sys_days(std::chrono::year(2025) / 7 / 4) + std::chrono::hours(9) + std::chrono::minutes(5) +
               std::chrono::seconds(7);
  return inputs;
}

std::string Joined(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) text += piece.text;
  return text;
}

// What golden.tsv writes for this result.
std::string Outcome(const absl::StatusOr<std::vector<Piece>>& pieces) {
  if (pieces.ok()) return Joined(*pieces);
  if (pieces.status().code() == absl::StatusCode::kInvalidArgument) return "!refused";
  return pieces.status().code() == absl::StatusCode::kFailedPrecondition ? "!failed" : pieces.status().ToString();
}

struct Row {
  std::string source_name;
  std::string conversation;
  bool add_generation_prompt = false;
  std::string expected;
};

std::vector<Row> ReadRows() {
  std::vector<Row> rows;
  const std::string text = ReadFile("golden.tsv");
  for (const std::string_view line : golden::Split(text, '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    EXPECT_EQ(fields.size(), 4u) << line;
    rows.push_back({.source_name = std::string(fields.at(0)),
                    .conversation = std::string(fields.at(1)),
                    .add_generation_prompt = fields.at(2) == "1",
                    .expected = golden::Unescaped(fields.at(3))});
  }
  return rows;
}

std::string SourceOf(const Row& row) {
  if (row.source_name.starts_with(kSnippet)) return golden::Unescaped(row.source_name.substr(kSnippet.size()));
  return ReadFile(base::StrCat("templates/", row.source_name, ".jinja"));
}

TEST(ChatTemplateGoldenTest, EveryResultEqualsJinjas) {
  const Conversations conversations = ReadConversations();
  const std::vector<Row> rows = ReadRows();
  EXPECT_GE(rows.size(), 400u);
  for (const Row& row : rows) {
    const auto parsed = Template::Parse(SourceOf(row));
    ASSERT_TRUE(parsed.ok()) << row.source_name << ": " << parsed.status();
    const auto found = conversations.find(row.conversation);
    ASSERT_NE(found, conversations.end());
    const auto pieces = (*parsed)->Render(MakeInputs(found->second, row.add_generation_prompt));
    const bool refused = row.expected.starts_with(kRefused);
    const std::string expected = refused ? "!refused" : row.expected;
    EXPECT_EQ(Outcome(pieces), expected) << row.source_name << " on " << row.conversation << ": " << pieces.status();
    // The template's own words are passed on; one snippet refuses with a user's, which are not.
    const std::string reason = refused ? row.expected.substr(kRefused.size()) : "";
    const bool users_words = reason == found->second[0].content;
    if (!pieces.ok()) {
      EXPECT_EQ(std::string(pieces.status().message()).find(reason) == std::string::npos, users_words)
          << pieces.status();
    }
  }
}

// Goal: no template loses track of what a user wrote. Method: messages are written in private-use code points, which no
// template contains; then every piece of user text holds nothing else, and no other piece holds one. (JSON and repr
// spell code points in ASCII, so the snippets that do are left out.)
TEST(ChatTemplateGoldenTest, UserTextIsMarkedAndNothingElseIs) {
  const auto is_user = [](char32_t c) { return c >= 0xE000 && c < 0xE100; };
  for (const char* name : {"smollm2", "llama31", "qwen25", "qwen3", "gemma3", "mistral"}) {
    const auto parsed = Template::Parse(ReadFile(base::StrCat("templates/", name, ".jinja")));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    for (int first_is_system = 0; first_is_system < 2; ++first_is_system) {
      std::vector<Message> messages;
      if (first_is_system == 1) messages.push_back({.role = "system", .content = "\uE000\uE001"});
      messages.push_back({.role = "user", .content = "\uE002\uE003 "});
      messages.push_back({.role = "assistant", .content = "\uE004"});
      messages.push_back({.role = "user", .content = " \uE005"});
      const auto pieces = (*parsed)->Render(MakeInputs(messages, true));
      ASSERT_TRUE(pieces.ok()) << name << ": " << pieces.status();
      std::size_t user_code_points = 0;
      for (const Piece& piece : *pieces) {
        if (piece.text == "user" || piece.text == "assistant" || piece.text == "system")
          continue;  // roles are inputs too
        for (std::size_t at = 0; at < piece.text.size();) {
          const unicode::Decoded decoded = unicode::DecodeUtf8(piece.text, at);
          at += decoded.length;
          user_code_points += is_user(decoded.code_point) ? 1 : 0;
          ASSERT_EQ(is_user(decoded.code_point) || (piece.from_user && decoded.code_point == ' '), piece.from_user)
              << name << ": " << piece.text;
        }
      }
      // Mistral's template says the system prompt only when a user message is last, which it is here.
      EXPECT_EQ(user_code_points, first_is_system == 1 ? 6u : 4u) << name;
    }
  }
}

}  // namespace
}  // namespace chat_template
