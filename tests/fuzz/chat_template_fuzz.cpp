// Any bytes as a chat template: refused, or rendered within its limits into valid UTF-8, with every letter of the
// messages marked as a user's.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/check.h"
#include "libs/chat_template/template.h"
#include "libs/unicode/utf8.h"

namespace {

// Code points that stand in messages only. A template can write them itself, as letters or as escapes.
constexpr std::string_view kUserLetter = "\uE123";

bool CanWriteUserLetters(std::string_view source) {
  return source.find('\\') != std::string_view::npos || source.find("\xEE") != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  chat_template::Limits limits;
  limits.source_bytes_max = 16U << 10;
  limits.steps_max = 20'000;
  limits.copied_bytes_max = 4U << 20;
  limits.output_bytes_max = 1U << 20;
  const auto parsed = chat_template::Template::Parse(source, limits);
  if (!parsed.ok()) return 0;
  chat_template::Inputs inputs;
  inputs.messages = {
      {"system", "\uE123 \uE123"}, {"user", " \uE123\n\uE123 "}, {"assistant", "\uE123"}, {"user", "\xFF\uE123"}};
  inputs.add_generation_prompt = size % 2 == 0;
  inputs.bos_token = "<s>";
  inputs.eos_token = "</s>";
  const auto pieces = (*parsed)->Render(inputs);
  if (!pieces.ok()) return 0;
  std::size_t total = 0;
  const bool marks_are_certain = !CanWriteUserLetters(source);
  for (std::size_t i = 0; i < pieces->size(); ++i) {
    const chat_template::Piece& piece = (*pieces)[i];
    CHECK(!piece.text.empty());
    CHECK(unicode::IsValidUtf8(piece.text));
    CHECK(i == 0 || (*pieces)[i - 1].from_user != piece.from_user);
    if (marks_are_certain && !piece.from_user) CHECK(piece.text.find(kUserLetter) == std::string::npos);
    total += piece.text.size();
  }
  CHECK(total <= limits.output_bytes_max);
  return 0;
}
