#include "libs/channel/account_event.h"

#include <algorithm>

#include "libs/channel/internal/field.h"
#include "libs/json/value.h"

namespace channel {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::string_view kUpdate = "account_update";
constexpr std::string_view kPolicy = "policy_enforcement";
constexpr std::string_view kDisabled = "account_disabled";
constexpr std::string_view kRestriction = "account_restriction";
constexpr std::string_view kViolation = "account_violation";
constexpr std::string_view kPunishments[] = {kDisabled, kRestriction, kViolation, kPolicy};
constexpr std::string_view kTypes[] = {"account_alerts",
                                       kDisabled,
                                       kRestriction,
                                       "account_review_update",
                                       kUpdate,
                                       kViolation,
                                       "app_roles",
                                       "business_capability_update",
                                       "errors",
                                       "message_template_quality_update",
                                       "message_template_status_update",
                                       "phone_number_name_update",
                                       "phone_number_quality_update",
                                       kPolicy,
                                       "security",
                                       "template_category_update",
                                       kOther};

// The channel's word as a type. Messenger writes policy-enforcement in items and messaging_policy_enforcement in
// changes.
std::string_view TypeOf(std::string_view word) {
  if (word == "policy-enforcement" || word == "messaging_policy_enforcement") return kPolicy;
  const auto found = std::ranges::find(kTypes, word);
  return found == std::end(kTypes) ? kOther : *found;
}

// account_update is one word for good and bad news; what stops an account has a type of its own.
std::string_view TypeOfUpdate(std::string_view event, std::string_view state) {
  if (event == "ACCOUNT_RESTRICTION") return kRestriction;
  if (event == "ACCOUNT_VIOLATION") return kViolation;
  return event == "DISABLED_UPDATE" && state != "REINSTATE" ? kDisabled : kUpdate;
}

// The first of `fields` that `value` has, as text: limits and ids come as numbers too.
std::string FirstOf(const json::Value& value, std::initializer_list<std::string_view> fields) {
  for (const std::string_view field : fields) {
    const json::Value found = value.Find(field);
    std::string text = TextOf(found, AccountEvent::kFactBytesMax);
    if (text.empty()) text = IdOf(found);
    if (!text.empty()) return CutUtf8(text, AccountEvent::kFactBytesMax);
  }
  return {};
}

std::string StateOf(const json::Value& value) {
  if (std::string ban = FirstOf(value.Find("ban_info"), {"waba_ban_state"}); !ban.empty()) return ban;
  for (const json::Value& restriction : value.Find("restriction_info").items()) {
    return FirstOf(restriction, {"restriction_type"});  // the first: one line tells that there is one
  }
  if (std::string violation = FirstOf(value.Find("violation_info"), {"violation_type"}); !violation.empty()) {
    return violation;
  }
  const std::string severity = FirstOf(value.Find("alert_info"), {"alert_severity"});
  return severity.empty() ? FirstOf(value, {"alert_severity"}) : severity;
}

// `value` of a change, or the item's content.
void ReadFacts(const json::Value& value, AccountEvent& facts) {
  facts.event = FirstOf(value, {"event", "decision", "action", "alert_type"});
  if (facts.event.empty()) facts.event = FirstOf(value.Find("alert_info"), {"alert_type"});
  facts.quality = FirstOf(value, {"new_quality_score", "quality_rating"});
  facts.limit =
      FirstOf(value, {"max_daily_conversations_per_business", "current_limit", "max_daily_conversation_per_phone"});
  facts.state = StateOf(value);
  facts.subject = FirstOf(value, {"display_phone_number", "phone_number", "message_template_name", "entity_id"});
  facts.reason = FirstOf(value, {"reason", "rejection_reason"});
}

}  // namespace

std::span<const std::string_view> AccountEventTypes() { return kTypes; }

bool IsPunishment(std::string_view type) { return std::ranges::find(kPunishments, type) != std::end(kPunishments); }

std::optional<AccountEvent> ReadAccountEvent(const Event& event) {
  if (event.kind != EventKind::kEvent) return std::nullopt;
  AccountEvent facts{.type = TypeOf(event.type)};
  if (facts.type == kOther && !event.user.empty()) return std::nullopt;
  if (facts.type == "errors") {
    facts.code = event.error_code;
    facts.reason = CutUtf8(event.error_title, AccountEvent::kFactBytesMax);
    return facts;
  }
  const absl::StatusOr<json::Document> document = json::Document::Parse(event.original);
  const json::Value item = document.ok() ? document->root() : json::Value();
  // A change has its facts in `value`, an item of `messaging` under its own word.
  const json::Value content = item.Find("value").is_object() ? item.Find("value") : item.Find(event.type);
  const json::Value policy = content.Find("policy_enforcement");  // of a change (verify)
  ReadFacts(policy.is_object() ? policy : content, facts);
  if (facts.type == kUpdate) facts.type = TypeOfUpdate(facts.event, facts.state);
  return facts;
}

}  // namespace channel
