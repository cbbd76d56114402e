#pragma once

#include <cstdint>
#include <optional>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// Values as text. What came from a user stays marked inside the result; quotes, brackets and numbers are the
// template's.

// Python's str(): text as it is, "None", "True", "['a', 1]"; nothing for undefined.
MarkedText ToText(Runtime& runtime, const Value& value);

struct JsonStyle {
  std::optional<std::int64_t> indent;  // none: on one line
  bool sort_keys = false;
};

// Python's json.dumps(value, ensure_ascii=False), which transformers' `tojson` calls. FailedPrecondition (thrown) for
// what JSON has no form for.
MarkedText ToJson(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace chat_template::internal
