#include "libs/fault/fault.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "libs/base/str_cat.h"

namespace fault {
namespace {

constexpr std::int64_t kPassesMax = 1'000'000'000;
constexpr std::int64_t kDelayMsMax = 600'000;
constexpr std::string_view kDelayPrefix = "delay_ms=";
constexpr std::string_view kTextPrefix = "text=";

enum class Action { kKill, kStop, kDelay };

// What happens at the armed point. Constant once armed, but for the count.
struct Armed {
  Action action = Action::kKill;
  std::int64_t nth = 1;
  std::int64_t delay_ms = 0;
  std::string text;  // not empty: at every pass, of work with this text
  std::atomic<std::int64_t> passes{0};
} armed;

std::optional<std::int64_t> Number(std::string_view text, std::int64_t max) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > max) return std::nullopt;
  return number;
}

std::string_view TakePart(std::string_view& text) {
  const std::size_t colon = text.find(':');
  const std::string_view part = text.substr(0, colon);
  text = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  return part;
}

absl::Status Refuse(std::string_view why) {
  return absl::InvalidArgumentError(
      base::StrCat(kVariable, ": ", why,
                   "; wanted is POINT:kill|stop|delay_ms=N[:NTH|:text=MARKER], such as worker_turn_done:kill:3"));
}

// Whoever looks at the end of the log must see that this death was asked for. No logger: it may be waiting for us.
void Say(std::string_view what) {
  const std::string line = base::StrCat("fault: ", kPoints[internal::armed_index].name, ": ", what, "\n");
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // nobody reads: the fault happens all the same
}

}  // namespace

absl::Status ArmFromEnvironment() {
  internal::armed_index = internal::kNone;
  const char* const value = std::getenv(kVariable);
  std::string_view rest = value == nullptr ? "" : value;
  if (rest.empty()) return absl::OkStatus();

  const std::string_view name = TakePart(rest);
  std::size_t index = 0;
  while (index < kPoints.size() && kPoints[index].name != name) ++index;
  if (index == kPoints.size()) return Refuse(base::StrCat("there is no point '", name, "' (list: fault_points)"));

  const std::string_view action = TakePart(rest);
  if (action == "kill") {
    armed.action = Action::kKill;
  } else if (action == "stop") {
    armed.action = Action::kStop;
  } else if (action.starts_with(kDelayPrefix)) {
    const auto delay_ms = Number(action.substr(kDelayPrefix.size()), kDelayMsMax);
    if (!delay_ms) return Refuse("the delay is no number of 1 to 600000 ms");
    armed.action = Action::kDelay;
    armed.delay_ms = *delay_ms;
  } else {
    return Refuse(base::StrCat("'", action, "' is no action"));
  }

  armed.text.clear();
  if (rest.starts_with(kTextPrefix)) {
    armed.text = rest.substr(kTextPrefix.size());
    if (armed.text.empty()) return Refuse("the text is empty");
    rest = "";
  }
  const auto nth = rest.empty() ? std::optional<std::int64_t>(1) : Number(rest, kPassesMax);
  if (!nth) return Refuse(base::StrCat("'", rest, "' is no count"));
  armed.nth = *nth;
  armed.passes = 0;
  internal::armed_index = index;
  return absl::OkStatus();
}

std::string_view ArmedPoint() {
  const std::size_t index = internal::armed_index;
  return index == internal::kNone ? std::string_view() : kPoints[index].name;
}

bool internal::TextMatches(std::string_view text) { return text.find(armed.text) != std::string_view::npos; }

void internal::Pass() {
  const std::int64_t pass = ++armed.passes;
  if (armed.action == Action::kDelay) {
    if (pass >= armed.nth) std::this_thread::sleep_for(std::chrono::milliseconds(armed.delay_ms));
    return;
  }
  if (armed.text.empty() && pass != armed.nth) return;
  Say(armed.action == Action::kKill ? "kill" : "stop");
  // raise() is for the calling thread, which therefore goes no further; kill() could stop another one first.
  std::raise(armed.action == Action::kKill ? SIGKILL : SIGSTOP);
}

}  // namespace fault
