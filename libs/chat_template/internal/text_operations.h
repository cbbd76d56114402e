#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// Python's str methods on marked text. Each part of a result keeps the mark of the text it was cut from. Positions and
// lengths in templates count code points; offsets in this file's interface are bytes.

enum class Side { kLeft, kRight, kBoth };
enum class Case { kUpper, kLower, kCapitalize, kTitle };

// Without `characters`: white space.
MarkedText Strip(Runtime& runtime, const MarkedText& text, Side side, const MarkedText* characters);

// Case mapping is one code point to one, so that marks carry over: "ß" stays where Python writes "SS".
MarkedText ChangeCase(Runtime& runtime, const MarkedText& text, Case wanted);

// Splits at `separator`, or without one at runs of white space, at most `splits_max` times (negative: no limit), from
// the end when `from_right`.
std::vector<Value> Split(Runtime& runtime, const MarkedText& text, const MarkedText* separator, std::int64_t splits_max,
                         bool from_right);
std::vector<Value> SplitLines(Runtime& runtime, const MarkedText& text);

// Replaces the first `count` occurrences (negative: all). FailedPrecondition (thrown) when `from` is empty.
MarkedText Replace(Runtime& runtime, const MarkedText& text, const MarkedText& from, const MarkedText& to,
                   std::int64_t count);

MarkedText Join(Runtime& runtime, const MarkedText& separator, const std::vector<Value>& items);
MarkedText Repeat(Runtime& runtime, const MarkedText& text, std::int64_t times);

// The code points of `text`, one text each.
std::vector<Value> Characters(Runtime& runtime, const MarkedText& text);

}  // namespace chat_template::internal
