#include "libs/chat_template/template.h"

#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/evaluator.h"
#include "libs/chat_template/internal/parser.h"
#include "libs/unicode/utf8.h"

namespace chat_template {

Template::Template(std::unique_ptr<const internal::Program> program, const Limits& limits)
    : program_(std::move(program)), limits_(limits) {}

Template::~Template() = default;

absl::StatusOr<std::unique_ptr<const Template>> Template::Parse(std::string_view source, const Limits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return absl::InvalidArgumentError(
        base::StrCat("a chat template of ", source.size(), " bytes is over the limit of ", limits.source_bytes_max));
  }
  if (!unicode::IsValidUtf8(source)) return absl::InvalidArgumentError("the chat template is not valid UTF-8");
  try {
    return std::unique_ptr<const Template>(new Template(internal::ParseTemplate(source), limits));
  } catch (const internal::TemplateError& error) {
    return error.status();
  }
}

absl::StatusOr<std::vector<Piece>> Template::Render(const Inputs& inputs) const {
  int line = 0;
  try {
    // Made inside: the inputs alone can be beyond the limits.
    internal::Evaluator evaluator(*program_, inputs, limits_);
    try {
      const internal::MarkedText output = evaluator.Run();
      std::vector<Piece> pieces;
      std::size_t begin = 0;
      for (const internal::MarkedText::Run& run : output.runs()) {
        pieces.push_back({.text = output.text().substr(begin, run.end - begin), .from_user = run.from_user});
        begin = run.end;
      }
      return pieces;
    } catch (const internal::TemplateError&) {
      line = evaluator.line();
      throw;
    }
  } catch (const internal::TemplateError& error) {
    return absl::Status(error.status().code(),
                        base::StrCat("chat template line ", line, ": ", error.status().message()));
  }
}

}  // namespace chat_template
