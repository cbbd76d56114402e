#include "libs/media/result.h"

namespace media {

std::string_view ToString(Result result) {
  switch (result) {
    case Result::kStored:
      return "stored";
    case Result::kTooLarge:
      return "too_large";
    case Result::kWrongType:
      return "wrong_type";
    case Result::kWrongHash:
      return "wrong_hash";
    case Result::kRefused:
      return "refused";
    case Result::kGone:
      return "gone";
    case Result::kUnavailable:
      return "unavailable";
    case Result::kLate:
      return "late";
    case Result::kBusy:
      return "busy";
    case Result::kNotStored:
      return "not_stored";
  }
  return "unavailable";
}

}  // namespace media
