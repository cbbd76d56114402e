#include "libs/sampler/stop_matcher.h"

#include <algorithm>

#include "libs/base/check.h"

namespace sampler {
namespace {

std::vector<std::size_t> Borders(std::string_view text) {
  std::vector<std::size_t> borders(text.size(), 0);
  for (std::size_t i = 1; i < text.size(); ++i) {
    std::size_t length = borders[i - 1];
    while (length > 0 && text[i] != text[length]) length = borders[length - 1];
    borders[i] = text[i] == text[length] ? length + 1 : 0;
  }
  return borders;
}

}  // namespace

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    CHECK(!stop.empty());
    patterns_.push_back({stop, Borders(stop)});
  }
}

bool StopMatcher::Append(std::string_view text, std::string& out) {
  CHECK(!stopped_);
  for (const char byte : text) {
    held_.push_back(byte);
    std::size_t undecided = 0;
    std::size_t stop_length = 0;
    for (Pattern& pattern : patterns_) {
      while (pattern.matched > 0 && pattern.text[pattern.matched] != byte) {
        pattern.matched = pattern.fallback[pattern.matched - 1];
      }
      if (pattern.text[pattern.matched] == byte) ++pattern.matched;
      if (pattern.matched == pattern.text.size()) {
        stop_length = std::max(stop_length, pattern.matched);
        pattern.matched = 0;
      }
      undecided = std::max(undecided, pattern.matched);
    }
    const std::size_t kept = stop_length > 0 ? stop_length : undecided;
    out.append(held_, 0, held_.size() - kept);
    held_.erase(0, held_.size() - kept);
    if (stop_length > 0) {
      stopped_ = true;
      held_.clear();
      return true;
    }
  }
  return false;
}

void StopMatcher::Finish(std::string& out) {
  out.append(held_);
  held_.clear();
}

}  // namespace sampler
