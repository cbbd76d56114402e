#pragma once

#include <span>
#include <string_view>

namespace channel {

// Why a webhook's body as a whole, or one item of it, cannot be used.
enum class Unusable {
  // The body, beside what makes it no JSON (json::ParseError).
  kWrongObject,
  // An item.
  kEntryNotAnObject,
  kChangesNotAList,
  kChangeNotAnObject,
  kValueNotAnObject,
  kMessagesNotAList,
  kStatusesNotAList,
  kErrorsNotAList,
  kMessageEchoesNotAList,
  kItemsNotAList,
  kItemNotAnObject,
  kNoAccount,
  kNoSender,
  kCount,
};
std::string_view ToString(Unusable reason);  // "wrong_object", "no_sender", ...

// All that a codec can say: as the message of Codec::Decode's error, or as Event::error. Each once. Metric labels.
std::span<const std::string_view> UnusableReasons();

}  // namespace channel
