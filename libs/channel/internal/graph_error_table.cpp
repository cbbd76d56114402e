#include "libs/channel/internal/graph_error_table.h"

namespace channel {
namespace {

using enum SendVerdict;
using enum BackoffScope;

constexpr GraphErrorRule One(std::int32_t code, SendVerdict verdict, BackoffScope scope) {
  return {code, code, verdict, scope};
}

constexpr GraphErrorRule kRules[] = {
    // Token: no send of this account can succeed until somebody logs in again.
    One(0, kPark, kAccount),
    One(190, kPark, kAccount),
    {458, 467, kPark, kAccount},
    // Unknown or temporary, said by Graph itself: certainly not shown.
    One(1, kRetry, kReply),
    One(2, kRetry, kReply),
    One(1200, kRetry, kReply),
    One(131000, kRetry, kReply),
    One(131016, kRetry, kAccount),
    One(131057, kRetry, kAccount),
    {135000, 135000, kRetry, kReply, /*retry_once=*/true},  // the message itself, more likely
    One(131053, kRetry, kReply),                            // media upload
    // Rates.
    One(4, kRetry, kAccount),
    One(17, kRetry, kAccount),
    One(32, kRetry, kAccount),
    One(613, kRetry, kAccount),
    One(80007, kRetry, kAccount),
    One(130429, kRetry, kAccount),
    One(133016, kRetry, kAccount),
    One(131056, kRetry, kUser),
    // The number's quality is at stake: more attempts make it worse, so the account is held until an operator looks.
    One(131048, kPark, kAccount),
    One(131064, kPark, kAccount),  // its messaging limit was lowered, of answers too
    // Permissions, and the 24-hour window of Messenger and Instagram (10 with its subcodes).
    One(3, kFail, kReply),
    One(10, kFail, kReply),
    {200, 299, kFail, kReply},
    One(131005, kFail, kReply),
    // Wrong parameter, recipient or template.
    One(33, kFail, kReply),
    One(100, kFail, kReply),
    One(551, kFail, kReply),
    One(131008, kFail, kReply),
    One(131009, kFail, kReply),
    One(131021, kFail, kReply),
    One(131026, kFail, kReply),
    One(131030, kFail, kReply),
    One(131047, kFail, kReply),
    One(131051, kFail, kReply),
    One(131052, kFail, kReply),
    One(131062, kFail, kReply),
    {132000, 132999, kFail, kReply},
    // Marketing limits and opt-outs of this user.
    One(130472, kFail, kReply),
    One(131049, kFail, kReply),
    One(131050, kFail, kReply),
    One(130497, kFail, kReply),  // this recipient's country is closed to the account; others are not
    // The account as a whole: locked, display name, payment, registration, policy.
    One(368, kPark, kAccount),
    One(131031, kPark, kAccount),
    One(131037, kPark, kAccount),
    One(131042, kPark, kAccount),
    One(131045, kPark, kAccount),
    {133000, 133999, kPark, kAccount},
};

}  // namespace

std::optional<GraphErrorRule> FindGraphErrorRule(std::int32_t code) {
  for (const GraphErrorRule& rule : kRules) {
    if (code >= rule.code_first && code <= rule.code_last) return rule;
  }
  return std::nullopt;
}

}  // namespace channel
