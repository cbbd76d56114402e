#include "services/worker/attempts.h"

#include <algorithm>
#include <iterator>

#include "libs/base/check.h"

namespace worker {
namespace {

// Bits of a note, which has 14.
constexpr std::uint32_t kBegan = 1;
constexpr int kDeathsShift = 1;  // 2 bits
constexpr int kStartsShift = 3;  // 4 bits
constexpr int kReasonShift = 7;  // 4 bits
constexpr std::uint32_t kReasonMask = 0xf;
constexpr std::uint32_t kBeganAgain = 1u << 11;

static_assert(kChildDeathsMax <= 3 && kAloneStartsMax <= 15);
constexpr int kReasonsMax = static_cast<int>(std::size(bus::kDeadLetterReasons));  // numbered from 0 without a gap
static_assert(kReasonsMax <= static_cast<int>(kReasonMask));
static_assert(static_cast<int>(bus::kDeadLetterReasons[kReasonsMax - 1]) == kReasonsMax - 1);

}  // namespace

Attempts Attempts::FromNote(std::uint32_t note) {
  Attempts attempts;
  attempts.began_ = note != 0;  // whatever a note says, somebody worked on the turn
  attempts.began_again_ = (note & kBeganAgain) != 0;
  attempts.child_deaths_ = std::min(static_cast<int>(note >> kDeathsShift & 3u), kChildDeathsMax);
  attempts.alone_starts_ = std::min(static_cast<int>(note >> kStartsShift & 15u), kAloneStartsMax);
  const auto reason = static_cast<int>(note >> kReasonShift & kReasonMask);
  attempts.given_up_reason_ = reason <= kReasonsMax ? reason : 0;
  return attempts;
}

std::uint32_t Attempts::note() const {
  return (began_ ? kBegan : 0) | (began_again_ ? kBeganAgain : 0) |
         static_cast<std::uint32_t>(child_deaths_) << kDeathsShift |
         static_cast<std::uint32_t>(alone_starts_) << kStartsShift |
         static_cast<std::uint32_t>(given_up_reason_) << kReasonShift;
}

std::optional<bus::DeadLetterReason> Attempts::given_up() const {
  if (given_up_reason_ == 0) return std::nullopt;
  return static_cast<bus::DeadLetterReason>(given_up_reason_ - 1);
}

std::uint32_t Attempts::tries() const {
  return began_ ? 1 + static_cast<std::uint32_t>(began_again_ + child_deaths_ + alone_starts_) : 0;
}

Attempts Attempts::Started() const {
  Attempts next = *this;
  next.began_again_ = began_;
  next.began_ = true;
  return next;
}

Attempts Attempts::StartedAlone() const {
  CHECK(began_ && !poison());
  Attempts next = *this;
  ++next.alone_starts_;
  return next;
}

Attempts Attempts::ChildDied() const {
  CHECK(began_ && !poison());
  Attempts next = *this;
  ++next.child_deaths_;
  return next;
}

Attempts Attempts::GivenUp(bus::DeadLetterReason reason) const {
  Attempts next = *this;
  next.began_ = true;
  next.given_up_reason_ = static_cast<int>(reason) + 1;
  return next;
}

}  // namespace worker
