#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "libs/bus/dead_letter.h"

namespace records {

// Why no reader takes a record. Services write a dead letter of that reason, or count it; tools pass it over.
enum class RefusalReason {
  kUndecodable,    // value is not what its topic holds
  kUnknownSchema,  // of a newer version than this one
  kKeyMismatch,    // stands under a key that is not its own
};
inline constexpr RefusalReason kRefusalReasons[] = {RefusalReason::kUndecodable, RefusalReason::kUnknownSchema,
                                                    RefusalReason::kKeyMismatch};
bus::DeadLetterReason DeadLetterReasonOf(RefusalReason reason);
std::string_view ToString(RefusalReason reason);  // as the dead letter's

struct Refusal {
  RefusalReason reason = RefusalReason::kUndecodable;
  std::string detail;        // one sentence without message text
  std::string turn_id = {};  // where it could be read
};

// What a record holds, or why no reader takes it.
template <typename Message>
class [[nodiscard]] Decoded {
 public:
  Decoded(Message message) : value_(std::move(message)) {}  // NOLINT: implicit, as absl::StatusOr
  Decoded(Refusal refusal) : value_(std::move(refusal)) {}  // NOLINT

  bool ok() const { return std::holds_alternative<Message>(value_); }
  const Refusal& refusal() const { return std::get<Refusal>(value_); }  // REQUIRES: !ok()

  // REQUIRES: ok()
  const Message& operator*() const& { return std::get<Message>(value_); }
  Message&& operator*() && { return std::get<Message>(std::move(value_)); }
  const Message* operator->() const { return &std::get<Message>(value_); }

 private:
  std::variant<Message, Refusal> value_;
};

}  // namespace records
