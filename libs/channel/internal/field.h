#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/json/value.h"

// Tolerant readers of webhook fields. Meta's payloads differ from their documentation and change without notice, so a
// field that is absent or of another type reads as "nothing said"; no reader fails.
namespace channel {

// A string; anything else is "". Cut at `bytes_max` before a code point.
std::string TextOf(const json::Value& value, std::size_t bytes_max);

// An id: a string, or a whole number in old payloads. "" when it is neither or longer than kIdBytesMax.
std::string IdOf(const json::Value& value);

// true, or the string "true" (Instagram).
bool FlagOf(const json::Value& value);

// Milliseconds since the epoch from seconds or milliseconds, as number or string, or an ISO-8601 string
// (channels.md 2.3); 0 when there is nothing usable. A number below 10^11 is seconds: as milliseconds it would lie
// before April 1973.
std::int64_t TimestampMsOf(const json::Value& value);

std::string CutUtf8(std::string_view text, std::size_t bytes_max);  // never inside a code point

bool IsReplyIdHex(std::string_view text);  // 64 lower-case hex digits, as we put into sends

}  // namespace channel
