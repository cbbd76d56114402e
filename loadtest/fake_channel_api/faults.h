#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "loadtest/fake_channel_api/options.h"

namespace fake_channel_api {

// What the next send meets besides a working API. Set by flags and by POST /control:
//   {"delay_ms":200, "fail_next":{"n":3,"http_status":500,"code":131000,"with_error_object":false}, "rate_limit":5,
//    "accept_then_drop":1, "accept_then_lose":1}
// Threading: safe from any thread.
class Faults {
 public:
  Faults(const Options& options, const base::Clock& clock);

  // Changes the knobs that `json` names and leaves the rest. InvalidArgument, with nothing changed, when a knob is
  // unknown or out of bounds.
  absl::Status Apply(std::string_view json);
  std::string ToJson() const;  // the knobs as they are now; counts go down as they are used up

  enum class Kind { kNone, kFail, kRateLimit, kAcceptThenDrop, kAcceptThenLose };
  struct Fault {
    Kind kind = Kind::kNone;
    std::int32_t http_status = 0;   // kFail
    std::int32_t code = 0;          // kFail
    bool with_error_object = true;  // kFail
    std::int64_t delay_ms = 0;
  };
  // For one valid send of `account`; uses up the count that it answers from.
  Fault Next(const std::string& account);

 private:
  struct Knobs {
    std::int64_t delay_ms = 0;
    std::int64_t fail_next = 0;
    std::int64_t fail_http_status = 500;
    std::int64_t fail_code = 131000;
    bool fail_with_error_object = true;
    std::int64_t rate_limit = 0;
    std::int64_t accept_then_drop = 0;
    std::int64_t accept_then_lose = 0;
  };

  // Sends of one account in the second that began at `began`.
  struct Window {
    base::MonotonicTime began;
    std::int64_t count = 0;
  };

  const base::Clock& clock_;
  mutable std::mutex mutex_;
  Knobs knobs_;                            // protected by mutex_
  std::map<std::string, Window> windows_;  // protected by mutex_; one an account, so bounded by the accounts file
};

}  // namespace fake_channel_api
