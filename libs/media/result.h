#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace media {

// How the fetching of an attachment ended; label `result` of the metric.
enum class Result {
  kStored,       // in the store
  kTooLarge,     // more bytes than its channel or the option allows, or an image of too many pixels
  kWrongType,    // its bytes are not what was announced
  kWrongHash,    // nor those whose digest the webhook told
  kRefused,      // its URL, a redirect or an address is none from which media may come
  kGone,         // expired, deleted, or never there
  kUnavailable,  // the other side failed
  kLate,         // the time was up
  kBusy,         // too many were waiting
  kNotStored,    // fetched, but the store did not take it
};
inline constexpr Result kResults[] = {Result::kStored,  Result::kTooLarge, Result::kWrongType,   Result::kWrongHash,
                                      Result::kRefused, Result::kGone,     Result::kUnavailable, Result::kLate,
                                      Result::kBusy,    Result::kNotStored};

std::string_view ToString(Result result);

struct Fetched {
  Result result = Result::kUnavailable;
  std::string type = {};    // kStored: the media type that its bytes show; "" when they show none
  std::int64_t bytes = 0;   // kStored
  bool was_kept = false;    // kStored: not brought by this fetch, but by another one of the turn's
  std::string detail = {};  // else, for the log alone
};

}  // namespace media
