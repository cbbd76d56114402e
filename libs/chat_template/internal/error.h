#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "libs/base/str_cat.h"

namespace chat_template::internal {

// How parsing and rendering stop. Inside this library an exception, because every operation of a template can fail and
// the evaluator is deeply recursive; Template::Parse and Template::Render turn it into a Status and let nothing out.
class TemplateError : public std::exception {
 public:
  explicit TemplateError(absl::Status status) : status_(std::move(status)), text_(status_.ToString()) {}

  const absl::Status& status() const { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  absl::Status status_;
  std::string text_;
};

[[noreturn]] inline void Fail(absl::StatusCode code, std::string_view message) {
  throw TemplateError(absl::Status(code, std::string(message)));
}
[[noreturn]] inline void FailSyntax(int line, std::string_view message) {
  Fail(absl::StatusCode::kInvalidArgument, base::StrCat("chat template line ", line, ": ", message));
}
[[noreturn]] inline void FailUnsupported(int line, std::string_view what) {
  Fail(absl::StatusCode::kUnimplemented, base::StrCat("chat template line ", line, ": ", what, " is not supported"));
}
// The template does something that has no meaning, like adding a number to text. While rendering: Template::Render adds
// the line. Messages name types and the template's own names, never a value, since that may be what a user wrote.
[[noreturn]] inline void FailOperation(std::string_view message) {
  Fail(absl::StatusCode::kFailedPrecondition, message);
}

}  // namespace chat_template::internal
