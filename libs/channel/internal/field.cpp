#include "libs/channel/internal/field.h"

#include <algorithm>
#include <optional>

#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/iso_time.h"
#include "libs/unicode/utf8.h"

namespace channel {
namespace {

constexpr std::int64_t kSecondsBelow = 100'000'000'000;        // 10^11
constexpr std::int64_t kTimestampMsMax = 253'402'300'799'999;  // the end of the year 9999

std::int64_t ScaleToMs(std::int64_t number) {
  if (number <= 0) return 0;
  const std::int64_t ms = number < kSecondsBelow ? number * 1000 : number;
  return ms <= kTimestampMsMax ? ms : 0;
}

}  // namespace

std::string CutUtf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  const std::string_view head = text.substr(0, bytes_max);
  return std::string(head.substr(0, unicode::CompleteUtf8Prefix(head)));
}

std::string TextOf(const json::Value& value, std::size_t bytes_max) {
  const std::optional<std::string_view> text = value.AsString();
  return text ? CutUtf8(*text, bytes_max) : std::string();
}

std::string IdOf(const json::Value& value) {
  const std::string id = value.AsStringOrNumber().value_or("");
  return id.size() <= kIdBytesMax ? id : std::string();
}

bool FlagOf(const json::Value& value) { return value.AsBoolLenient().value_or(false); }

std::int64_t TimestampMsOf(const json::Value& value) {
  if (const std::optional<std::int64_t> number = value.AsInt64Lenient()) return ScaleToMs(*number);
  if (const std::optional<std::string_view> text = value.AsString()) {
    return std::max<std::int64_t>(0, ParseIsoTimeMs(*text).value_or(0));
  }
  return 0;
}

bool IsReplyIdHex(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace channel
