#include "services/worker/disclosure.h"

#include <cstdint>

#include "libs/base/str_cat.h"

namespace worker {
namespace {

constexpr std::string_view kBetween = "\n\n";  // a paragraph: channels break long texts there first
constexpr std::int64_t kHourMs = 3'600'000;

bool IsDue(const account::Account& account, const mesh::bus::v1::Turn& turn,
           const mesh::session::v1::LoadContextResponse& loaded) {
  if (account.disclosure_text.empty()) return false;
  const std::int64_t last_ms = loaded.last_answer_at_ms();
  return last_ms == 0 || turn.accepted_at_ms() - last_ms >= account.disclosure_gap_h * kHourMs;
}

}  // namespace

std::string WithDisclosure(const account::Account& account, const mesh::bus::v1::Turn& turn,
                           const mesh::session::v1::LoadContextResponse& loaded, std::string text) {
  if (!IsDue(account, turn, loaded)) return text;
  if (text.empty()) return account.disclosure_text;  // a reply of other parts than text
  return base::StrCat(account.disclosure_text, kBetween, text);
}

std::string_view WithoutDisclosure(const account::Account& account, std::string_view reply_text) {
  std::string_view rest = reply_text;
  if (account.disclosure_text.empty() || !rest.starts_with(account.disclosure_text)) return reply_text;
  rest.remove_prefix(account.disclosure_text.size());
  if (rest.empty()) return rest;
  if (!rest.starts_with(kBetween)) return reply_text;
  rest.remove_prefix(kBetween.size());
  return rest;
}

}  // namespace worker
