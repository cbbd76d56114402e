#include "libs/channel/internal/graph_error_table.h"

#include <algorithm>
#include <iterator>

namespace channel {
namespace {

using enum GraphErrorClass;
using enum SendVerdict;
using enum BackoffScope;

// What is done on most codes of a class.
constexpr SendVerdict VerdictOn(GraphErrorClass error_class) {
  if (error_class == kToken || error_class == kBlocked) return kPark;
  return error_class == kTemporary || error_class == kRate ? kRetry : kFail;
}
constexpr BackoffScope ScopeOn(GraphErrorClass error_class) {
  return error_class == kToken || error_class == kBlocked || error_class == kRate ? kAccount : kReply;
}
constexpr GraphErrorRule Range(std::int32_t first, std::int32_t last, GraphErrorClass error_class) {
  return {first, last, error_class, VerdictOn(error_class), ScopeOn(error_class)};
}
constexpr GraphErrorRule One(std::int32_t code, GraphErrorClass error_class) { return Range(code, code, error_class); }

constexpr GraphErrorRule kRules[] = {
    One(0, kToken),
    One(190, kToken),
    Range(458, 467, kToken),
    // Said by Graph itself: certainly not shown.
    One(1, kTemporary),
    One(2, kTemporary),
    One(1200, kTemporary),
    One(131000, kTemporary),
    {131016, 131016, kTemporary, kRetry, kAccount},
    {131057, 131057, kTemporary, kRetry, kAccount},
    One(4, kRate),
    One(17, kRate),
    One(32, kRate),
    One(613, kRate),
    One(80007, kRate),
    One(130429, kRate),
    One(133016, kRate),
    {131056, 131056, kRate, kRetry, kUser},
    // The number's quality is at stake: more attempts make it worse, so the account is held until an operator looks.
    One(131048, kBlocked),
    One(131064, kBlocked),  // its messaging limit was lowered, of answers too
    // Locked, display name, payment, registration, policy.
    One(368, kBlocked),
    One(131031, kBlocked),
    One(131037, kBlocked),
    One(131042, kBlocked),
    One(131045, kBlocked),
    Range(133000, 133999, kBlocked),
    One(3, kPermission),
    One(10, kPermission),  // without a subcode
    Range(200, 299, kPermission),
    One(131005, kPermission),
    One(131047, kWindow),
    One(33, kUnknownId),
    One(100, kUnknownId),
    One(551, kRecipient),
    One(131021, kRecipient),
    One(131026, kRecipient),
    One(131030, kRecipient),
    One(131062, kRecipient),
    One(130472, kRecipient),  // marketing limits and opt-outs of this user
    One(131049, kRecipient),
    One(131050, kRecipient),
    One(130497, kRecipient),  // this recipient's country is closed to the account; others are not
    One(131008, kContent),
    One(131009, kContent),
    One(131051, kContent),
    One(131052, kContent),
    Range(132000, 132999, kContent),
    {131053, 131053, kContent, kRetry, kReply},                       // media upload
    {135000, 135000, kContent, kRetry, kReply, /*retry_once=*/true},  // unknown; the message itself, more likely
};

// Messenger and Instagram say with 10 and a subcode what is about one user. 2018278 is Messenger's for a closed window,
// 2018065 an older one, 2534022 that of Instagram Login, as public issue threads show it.
constexpr std::int64_t kByItsSubcode = 10;
constexpr std::int64_t kWindowSubcodes[] = {2018278, 2018065, 2534022};

}  // namespace

std::optional<GraphErrorRule> FindGraphErrorRule(std::int64_t code, std::int64_t subcode) {
  for (GraphErrorRule rule : kRules) {
    if (code < rule.code_first || code > rule.code_last) continue;
    if (code == kByItsSubcode && subcode > 0) {
      const bool is_window = std::ranges::find(kWindowSubcodes, subcode) != std::end(kWindowSubcodes);
      rule.error_class = is_window ? kWindow : kRecipient;
    }
    return rule;
  }
  return std::nullopt;
}

GraphErrorClass ClassOfGraphError(std::int64_t code, std::int64_t subcode) {
  const std::optional<GraphErrorRule> rule = FindGraphErrorRule(code, subcode);
  return rule ? rule->error_class : kUnknown;
}

}  // namespace channel
