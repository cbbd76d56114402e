#include "libs/channel/internal/iso_time.h"

#include <chrono>

namespace channel {
namespace {

// Reads fixed shapes from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool Digits(std::size_t count, int* value) {
    if (text_.size() < count) return false;
    *value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!IsDigit(text_[i])) return false;
      *value = *value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(count);
    return true;
  }

  bool Literal(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  // Any number of digits; those beyond milliseconds are dropped.
  bool FractionMs(int* ms) {
    *ms = 0;
    int scale = 100;
    std::size_t count = 0;
    for (; count < text_.size() && IsDigit(text_[count]); ++count) {
      *ms += (text_[count] - '0') * scale;
      scale /= 10;
    }
    text_.remove_prefix(count);
    return count > 0;
  }

  bool empty() const { return text_.empty(); }

 private:
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  std::string_view text_;
};

bool ReadZone(Cursor& in, int* offset_minutes) {
  *offset_minutes = 0;
  if (in.empty() || in.Literal('Z')) return true;
  const bool negative = in.Literal('-');
  if (!negative && !in.Literal('+')) return false;
  int hours = 0;
  int minutes = 0;
  if (!in.Digits(2, &hours)) return false;
  in.Literal(':');
  if (!in.Digits(2, &minutes) || hours > 23 || minutes > 59) return false;
  *offset_minutes = (hours * 60 + minutes) * (negative ? -1 : 1);
  return true;
}

}  // namespace

std::optional<std::int64_t> ParseIsoTimeMs(std::string_view text) {
  Cursor in(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, offset_minutes = 0;
  const bool shaped = in.Digits(4, &year) && in.Literal('-') && in.Digits(2, &month) && in.Literal('-') &&
                      in.Digits(2, &day) && (in.Literal('T') || in.Literal(' ')) && in.Digits(2, &hour) &&
                      in.Literal(':') && in.Digits(2, &minute) && in.Literal(':') && in.Digits(2, &second);
  if (!shaped || (in.Literal('.') && !in.FractionMs(&ms)) || !ReadZone(in, &offset_minutes) || !in.empty()) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t minutes = (days * 24 + hour) * 60 + minute - offset_minutes;
  return (minutes * 60 + second) * 1000 + ms;
}

}  // namespace channel
