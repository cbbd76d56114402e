// A template comes with a model file and may be hostile: each of these would run for years, fill the memory or the
// stack.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/chat_template/template.h"

namespace chat_template {
namespace {

std::string Repeated(const std::string& text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST(LimitsTest, WorkIsBounded) {
  const std::vector<std::string> sources = {
      "{% for i in range(1000000000000) %}{% endfor %}",
      "{% for i in range(1000) %}{% for j in range(1000) %}{% for k in range(1000) %}{% endfor %}{% endfor %}{% endfor "
      "%}",
      "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{{ 'a' * 1000000000000 }}",
      "{{ ('abcdefgh' * 100000) * 100000 }}",
      "{{ [1] * 1000000000000 }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{{ 'a' | indent(1000000000000) * 10000000 }}",
      "{% for i in range(100000) %}{{ 'abcdefghij' * 100 }}{% endfor %}",
      // Two lists in one, a hundred times: printing or comparing it would take 2^90 steps.
      "{% set ns = namespace(x=[]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace(x=[], y=[]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
      "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
      "{% set big = range(5000) | list %}{% for i in range(100000) %}{% if -1 in big %}{% endif %}{% endfor %}",
      "{% set big = range(100000) | list %}{{ big | unique | list | length }}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
  };
  for (const std::string& source : sources) {
    const auto parsed = Template::Parse(source);
    ASSERT_TRUE(parsed.ok()) << source << ": " << parsed.status();
    const auto pieces = (*parsed)->Render(Inputs());
    // Either a limit of the rendering, or a value that is refused when it is built.
    EXPECT_TRUE(pieces.status().code() == absl::StatusCode::kOutOfRange ||
                pieces.status().code() == absl::StatusCode::kFailedPrecondition)
        << source << ": " << pieces.status();
  }
}

TEST(LimitsTest, NestingIsBounded) {
  constexpr int kDeep = 100'000;
  const std::vector<std::string> sources = {
      "{{ " + Repeated("(", kDeep) + "1" + Repeated(")", kDeep) + " }}",
      "{{ " + Repeated("[", kDeep) + Repeated("]", kDeep) + " }}",
      "{{ " + Repeated("-", kDeep) + "1 }}",
      "{{ " + Repeated("not ", kDeep) + "1 }}",
      "{{ 1" + Repeated(" + 1", kDeep) + " }}",
      "{{ 1" + Repeated(" and 1", kDeep) + " }}",
      "{{ 1" + Repeated(" if 1 else 1", kDeep) + " }}",
      "{{ a" + Repeated(".b", kDeep) + " }}",
      "{{ a" + Repeated("[0]", kDeep) + " }}",
      "{{ a" + Repeated("()", kDeep) + " }}",
      "{{ a" + Repeated("|trim", kDeep) + " }}",
      "{{ a" + Repeated(" is defined", kDeep) + " }}",
      Repeated("{% if 1 %}", 10'000) + Repeated("{% endif %}", 10'000),
      Repeated("{% for a in b %}", 10'000) + Repeated("{% endfor %}", 10'000),
  };
  for (const std::string& source : sources) {
    EXPECT_EQ(Template::Parse(source).status().code(), absl::StatusCode::kInvalidArgument) << source.substr(0, 40);
  }
}

TEST(LimitsTest, RecursionWhileRenderingIsBounded) {
  const std::vector<std::string> sources = {
      "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
      "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace(x={}) %}{% for i in range(1000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
      "{{ 'a' | map('map'" + Repeated(", 'map'", 50'000) + ", 'upper') | list }}",
  };
  for (const std::string& source : sources) {
    const auto parsed = Template::Parse(source);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const auto pieces = (*parsed)->Render(Inputs());
    EXPECT_TRUE(pieces.status().code() == absl::StatusCode::kOutOfRange ||
                pieces.status().code() == absl::StatusCode::kFailedPrecondition)
        << source.substr(0, 60) << ": " << pieces.status();
  }
}

TEST(LimitsTest, ANamespaceMayContainItself) {
  const auto parsed = Template::Parse(
      "{% set ns = namespace(a=1) %}{% set ns.self = ns %}{% set ns.list = [ns] %}"
      "{{ ns.self.self.a }}{{ ns.list[0].a }}{{ ns == ns.self }}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto pieces = (*parsed)->Render(Inputs());
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->at(0).text, "11True");
}

TEST(LimitsTest, TheSourceAndTheInputsAreBounded) {
  EXPECT_EQ(Template::Parse(std::string(2U << 20, 'x')).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Template::Parse("\xFF").status().code(), absl::StatusCode::kInvalidArgument);
  const auto parsed = Template::Parse("{% for m in messages %}{{ m.content }}{% endfor %}");
  ASSERT_TRUE(parsed.ok());
  Inputs inputs;
  inputs.messages.resize(2, {.role = "user", .content = std::string(12U << 20, 'x')});
  EXPECT_EQ((*parsed)->Render(inputs).status().code(), absl::StatusCode::kOutOfRange);
  inputs.messages.resize(1);
  EXPECT_TRUE((*parsed)->Render(inputs).ok());
}

TEST(LimitsTest, ALongConversationIsFarFromTheLimits) {
  const auto parsed = Template::Parse(
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' "
      "}}"
      "{% endfor %}");
  ASSERT_TRUE(parsed.ok());
  Inputs inputs;
  inputs.messages.resize(5'000, {.role = "user", .content = std::string(2'000, 'x')});
  EXPECT_TRUE((*parsed)->Render(inputs).ok());
}

TEST(LimitsTest, ArithmeticDoesNotOverflow) {
  const std::vector<std::string> sources = {
      "{{ 9223372036854775807 + 1 }}",
      "{{ -9223372036854775807 - 2 }}",
      "{{ 9223372036854775807 * 2 }}",
      "{{ 2 ** 64 }}",
      "{{ (-9223372036854775807 - 1) // -1 }}",
      "{{ -(-9223372036854775807 - 1) }}",
      "{{ (-9223372036854775807 - 1) | abs }}",
      "{{ 1 % 0 }}",
      "{{ 1 // 0 }}",
      "{{ 1.0 / 0 }}",
  };
  for (const std::string& source : sources) {
    const auto parsed = Template::Parse(source);
    ASSERT_TRUE(parsed.ok()) << source << parsed.status();
    EXPECT_EQ((*parsed)->Render(Inputs()).status().code(), absl::StatusCode::kFailedPrecondition) << source;
  }
  const auto parsed = Template::Parse(
      "{{ (-9223372036854775807 - 1) % -1 }} {{ 'abc'[9223372036854775807:] }} {{ "
      "'abc'[-9223372036854775807::9223372036854775807] }}"
      " {{ 'abc'[::-9223372036854775807] }} {{ 1e300 | int }} {{ '1e400' | float }} {{ range(9223372036854775806, "
      "9223372036854775807) | list }}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto pieces = (*parsed)->Render(Inputs());
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->at(0).text, "0  a c 0 0.0 [9223372036854775806]");
}

}  // namespace
}  // namespace chat_template
