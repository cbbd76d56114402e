#include "libs/http/internal/answer_queue.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/http/internal/ascii.h"
#include "libs/http/internal/header_scan.h"

namespace http::internal {
namespace {

bool IsFramingField(std::string_view name) {
  for (const std::string_view own : {"content-length", "transfer-encoding", "connection", "content-type", "date"}) {
    if (EqualsIgnoreCase(name, own)) return true;
  }
  return false;
}

// A handler may pass on what came from outside; a line break in it must not become a field of its own.
void AppendField(std::string_view name, std::string_view value, std::string* out) {
  out->append(name).append(": ");
  for (const char c : value) {
    if (IsFieldValue(std::string_view(&c, 1))) out->push_back(c);
  }
  out->append("\r\n");
}

bool HasBody(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

void AppendResponse(const Response& response, bool is_head, bool close, std::string_view date, std::string* out) {
  out->append(base::StrCat("HTTP/1.1 ", response.status, " ", ReasonPhrase(response.status), "\r\n"));
  AppendField("Date", date, out);
  if (HasBody(response.status)) {
    if (!response.content_type.empty()) AppendField("Content-Type", response.content_type, out);
    out->append(base::StrCat("Content-Length: ", response.body.size(), "\r\n"));
  }
  for (const auto& [name, value] : response.headers) {
    if (IsToken(name) && !IsFramingField(name)) AppendField(name, value, out);
  }
  if (close) out->append("Connection: close\r\n");
  out->append("\r\n");
  if (HasBody(response.status) && !is_head) out->append(response.body);
}

std::string_view HttpDate() {
  thread_local std::time_t made_for = 0;
  thread_local std::array<char, 40> text{};
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    made_for = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    // strftime would follow the locale.
    static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                  kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                  kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                  utc.tm_sec);
  }
  return text.data();
}

std::uint64_t AnswerQueue::Expect(const Expected& expected) {
  slots_.push_back({.expected = expected, .answered = false, .interim = {}, .response = {}});
  body_bytes_ += expected.body_bytes;
  return first_number_ + slots_.size() - 1;
}

void AnswerQueue::PushAnswered(const Expected& expected, Response response) {
  const base::MonotonicTime now = expected.started;
  Answer(Expect(expected), std::move(response), now);
}

void AnswerQueue::PushInterim(std::string bytes) {
  slots_.push_back({.expected = {}, .answered = true, .interim = std::move(bytes), .response = {}});
}

std::optional<std::int64_t> AnswerQueue::Answer(std::uint64_t number, Response response, base::MonotonicTime now) {
  if (number < first_number_ || number - first_number_ >= slots_.size()) return std::nullopt;
  Slot& slot = slots_[number - first_number_];
  if (slot.answered) return std::nullopt;
  slot.answered = true;
  slot.response = std::move(response);
  if (slot.response.status < 200 || slot.response.status > 599) {
    slot.response = {.status = 500, .headers = {}, .body = "invalid status\n"};
  }
  slot.expected.entry->Count(slot.response.status, now - slot.expected.started);
  body_bytes_ -= slot.expected.body_bytes;
  return slot.expected.body_bytes;
}

bool AnswerQueue::TakeReady(std::size_t bytes_max, bool close_after_last, std::string* out) {
  while (!slots_.empty() && slots_.front().answered && out->size() < bytes_max) {
    const Slot& slot = slots_.front();
    bool close = false;
    if (!slot.interim.empty()) {
      out->append(slot.interim);
    } else if (slot.response.hang_up) {
      close = true;
    } else {
      close = slot.expected.close_after || (close_after_last && slots_.size() == 1);
      AppendResponse(slot.response, slot.expected.is_head, close, HttpDate(), out);
    }
    slots_.pop_front();
    ++first_number_;
    if (close) return true;
  }
  return false;
}

std::optional<std::uint64_t> AnswerQueue::FindOverdue(base::MonotonicTime now) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].answered && slots_[i].expected.deadline <= now) return first_number_ + i;
  }
  return std::nullopt;
}

std::optional<base::MonotonicTime> AnswerQueue::NextDeadline() const {
  // Equal patience for all: the first one not given is the earliest.
  for (const Slot& slot : slots_) {
    if (!slot.answered) return slot.expected.deadline;
  }
  return std::nullopt;
}

}  // namespace http::internal
