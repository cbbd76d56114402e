#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace chat_template {

namespace internal {
struct Program;
}

struct Message {
  std::string role;
  std::string content;
};

// A stretch of a rendered prompt. Text that came from a message (its role too) stays marked through every operation of
// the template: concatenation, trimming, slicing, replacing, JSON. Only text of the template's own literals, bos_token
// and eos_token is not `from_user`, so only there may special tokens be control.
struct Piece {
  std::string text;
  bool from_user = false;

  friend bool operator==(const Piece&, const Piece&) = default;
};

// What a template sees. `tools` and `documents` are none, as when transformers' apply_chat_template is called without
// them.
struct Inputs {
  std::vector<Message> messages;  // invalid UTF-8 is replaced by U+FFFD
  bool add_generation_prompt = false;
  std::string bos_token;
  std::string eos_token;
  std::chrono::system_clock::time_point now{};  // what strftime_now formats, in UTC
};

// A template is part of a model file and so not trusted to end: each bound is checked before the work that it bounds.
struct Limits {
  std::size_t source_bytes_max = 1U << 20;
  std::uint64_t steps_max = 1'000'000;            // expressions, statements, list elements and loop rounds evaluated
  std::uint64_t copied_bytes_max = 128ULL << 20;  // text built by all operations of one rendering together
  std::size_t output_bytes_max = 16U << 20;
};

// A chat template in the subset of Jinja that published models use, with the environment of transformers'
// apply_chat_template (trim_blocks, lstrip_blocks, break and continue, tojson without HTML escapes, raise_exception,
// strftime_now).
//
// Statements: if, for (with else, filter, unpacking), set (also blocks and namespaces), macro, filter, raw, break,
// continue,
//             generation (transparent). Left out: include, import, extends, block, call, recursive loops.
// Threading:  immutable after Parse; Render is safe from any thread.
class Template {
 public:
  // InvalidArgument: not a template; names the line. Unimplemented: uses what is outside the subset. Both permanent.
  static absl::StatusOr<std::unique_ptr<const Template>> Parse(std::string_view source, const Limits& limits = {});

  ~Template();
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  // The prompt, neighbouring pieces of one origin joined. All errors are permanent for these inputs:
  // InvalidArgument: the template itself refused the conversation (raise_exception); the message quotes no user text.
  // FailedPrecondition: the template does something impossible (adds a number to text). OutOfRange: beyond `limits`.
  absl::StatusOr<std::vector<Piece>> Render(const Inputs& inputs) const;

 private:
  Template(std::unique_ptr<const internal::Program> program, const Limits& limits);

  std::unique_ptr<const internal::Program> program_;
  Limits limits_;
};

}  // namespace chat_template
