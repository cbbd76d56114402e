#pragma once

#include <string_view>

namespace channel::whatsapp {

// What a user's name on WhatsApp says (channels.md 2.1): a phone number, or a business-scoped id, which is opaque but
// for its country ("IT.1349...", "IT.ENT.1349..."). Webhooks write numbers as digits alone; a plus before them names
// the same user.
struct UserId {
  enum class Kind { kNumber, kScoped, kNeither };
  Kind kind = Kind::kNeither;
  std::string_view number = {};   // kNumber: the digits, without a plus
  std::string_view country = {};  // kScoped: two upper-case letters
};

// What it gives points into `user`.
UserId ReadUserId(std::string_view user);

}  // namespace channel::whatsapp
