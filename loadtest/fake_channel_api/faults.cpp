#include "loadtest/fake_channel_api/faults.h"

#include <optional>

#include "libs/base/str_cat.h"
#include "libs/json/value.h"
#include "libs/json/writer.h"

namespace fake_channel_api {
namespace {

absl::Status ReadNumber(std::string_view name, const json::Value& value, std::int64_t min, std::int64_t max,
                        std::int64_t* target) {
  const std::optional<std::int64_t> number = value.AsInt64();
  if (!number || *number < min || *number > max) {
    return absl::InvalidArgumentError(base::StrCat(name, " wants a whole number from ", min, " to ", max));
  }
  *target = *number;
  return absl::OkStatus();
}

}  // namespace

Faults::Faults(const Options& options, const base::Clock& clock) : clock_(clock) {
  knobs_ = {.delay_ms = options.delay_ms,
            .fail_next = options.fail_next,
            .fail_http_status = options.fail_http_status,
            .fail_code = options.fail_code,
            .fail_with_error_object = options.fail_with_error_object,
            .rate_limit = options.rate_limit,
            .accept_then_drop = options.accept_then_drop};
}

absl::Status Faults::Apply(std::string_view text) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(text);
  if (!document.ok() || !document->root().is_object()) return absl::InvalidArgumentError("want a JSON object of knobs");
  const std::lock_guard lock(mutex_);
  Knobs knobs = knobs_;
  constexpr std::int64_t kCountMax = 1'000'000'000;
  for (const auto& [name, value] : document->root().fields()) {
    absl::Status status;
    if (name == "delay_ms") {
      status = ReadNumber(name, value, 0, 600'000, &knobs.delay_ms);
    } else if (name == "rate_limit") {
      status = ReadNumber(name, value, 0, 1'000'000, &knobs.rate_limit);
    } else if (name == "accept_then_drop") {
      status = ReadNumber(name, value, 0, kCountMax, &knobs.accept_then_drop);
    } else if (name == "accept_then_lose") {
      status = ReadNumber(name, value, 0, kCountMax, &knobs.accept_then_lose);
    } else if (name == "fail_next" && value.is_object()) {
      knobs.fail_next = 1;
      for (const auto& [part, setting] : value.fields()) {
        if (part == "n") {
          status.Update(ReadNumber("fail_next.n", setting, 0, kCountMax, &knobs.fail_next));
        } else if (part == "http_status") {
          status.Update(ReadNumber("fail_next.http_status", setting, 400, 599, &knobs.fail_http_status));
        } else if (part == "code") {
          status.Update(ReadNumber("fail_next.code", setting, 0, kCountMax, &knobs.fail_code));
        } else if (part == "with_error_object" && setting.AsBool()) {
          knobs.fail_with_error_object = *setting.AsBool();
        } else {
          status.Update(
              absl::InvalidArgumentError(base::StrCat("fail_next.", part, " is not a knob, or of the wrong type")));
        }
      }
    } else {
      status = absl::InvalidArgumentError(base::StrCat(name,
                                                       " is not a knob; there are delay_ms, fail_next {n, http_status, "
                                                       "code, with_error_object}, rate_limit, accept_then_drop, "
                                                       "accept_then_lose"));
    }
    if (!status.ok()) return status;
  }
  knobs_ = knobs;
  return absl::OkStatus();
}

std::string Faults::ToJson() const {
  const std::lock_guard lock(mutex_);
  json::Writer json;
  json.BeginObject();
  json.Field("delay_ms", knobs_.delay_ms);
  json.Key("fail_next");
  json.BeginObject();
  json.Field("n", knobs_.fail_next);
  json.Field("http_status", knobs_.fail_http_status);
  json.Field("code", knobs_.fail_code);
  json.Field("with_error_object", knobs_.fail_with_error_object);
  json.EndObject();
  json.Field("rate_limit", knobs_.rate_limit);
  json.Field("accept_then_drop", knobs_.accept_then_drop);
  json.Field("accept_then_lose", knobs_.accept_then_lose);
  json.EndObject();
  return std::move(json).Take();
}

Faults::Fault Faults::Next(const std::string& account) {
  const std::lock_guard lock(mutex_);
  Fault fault{.delay_ms = knobs_.delay_ms};
  if (knobs_.fail_next > 0) {
    --knobs_.fail_next;
    fault.kind = Kind::kFail;
    fault.http_status = static_cast<std::int32_t>(knobs_.fail_http_status);
    fault.code = static_cast<std::int32_t>(knobs_.fail_code);
    fault.with_error_object = knobs_.fail_with_error_object;
    return fault;
  }
  if (knobs_.rate_limit > 0) {
    Window& window = windows_[account];
    if (clock_.Now() - window.began >= std::chrono::seconds(1)) window = {.began = clock_.Now(), .count = 0};
    if (++window.count > knobs_.rate_limit) {
      fault.kind = Kind::kRateLimit;
      return fault;
    }
  }
  if (knobs_.accept_then_drop > 0) {
    --knobs_.accept_then_drop;
    fault.kind = Kind::kAcceptThenDrop;
  } else if (knobs_.accept_then_lose > 0) {
    --knobs_.accept_then_lose;
    fault.kind = Kind::kAcceptThenLose;
  }
  return fault;
}

}  // namespace fake_channel_api
