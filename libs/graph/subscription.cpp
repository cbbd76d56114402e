#include "libs/graph/subscription.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/account/login.h"
#include "libs/base/str_cat.h"
#include "libs/json/value.h"

namespace graph {
namespace {

using mesh::bus::v1::Channel;

constexpr std::size_t kAppsMax = 16;
constexpr std::size_t kFieldsMax = 64;  // of those an app has already
constexpr std::size_t kFieldBytesMax = 64;

constexpr WebhookField kWhatsApp[] = {{"messages", true},
                                      {"user_preferences"},
                                      {"user_id_update"},
                                      {"smb_message_echoes"},
                                      {"account_alerts"},
                                      {"account_review_update"},
                                      {"account_update"},
                                      {"business_capability_update"},
                                      {"message_template_quality_update"},
                                      {"message_template_status_update"},
                                      {"phone_number_name_update"},
                                      {"phone_number_quality_update"},
                                      {"security"}};
constexpr WebhookField kMessenger[] = {{"messages", true},      {"messaging_postbacks", true},
                                       {"message_deliveries"},  {"message_reads"},
                                       {"message_echoes"},      {"message_edits"},
                                       {"message_reactions"},   {"messaging_handovers"},
                                       {"messaging_optins"},    {"messaging_policy_enforcement"},
                                       {"messaging_referrals"}, {"standby"}};
constexpr WebhookField kInstagram[] = {
    {"messages", true},    {"messaging_postbacks", true}, {"messaging_seen"},     {"message_edit"},
    {"message_reactions"}, {"messaging_handover"},        {"messaging_referral"}, {"standby"}};

// Of a page that an Instagram account is reached by: any one field of the page does, and which of Instagram's come is
// chosen for the app (verify). This one needs no permission but pages_manage_metadata, while those of Messenger want
// pages_messaging, for want of which Meta refuses the whole list (200); and no webhook of the page comes for it as long
// as the app has not chosen it in its settings.
constexpr WebhookField kPageOfInstagram[] = {{"feed"}};

std::span<const WebhookField> NodeFields(const account::Account& account) {
  return account::IsInstagramByPage(account) ? std::span<const WebhookField>(kPageOfInstagram)
                                             : WebhookFields(account.channel);
}

std::string AppIdOf(const json::Value& app) {
  const json::Value id = app.Find("whatsapp_business_api_data").Find("id");  // WhatsApp
  return (id.exists() ? id : app.Find("id")).AsStringOrNumber().value_or("");
}

// Names go into the path of a request.
bool IsFieldName(std::string_view name) {
  return !name.empty() && name.size() <= kFieldBytesMax &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// Meta writes a field as its name, or as an object with its name and version.
void ReadFields(const json::Value& app, std::vector<std::string>& fields) {
  for (const json::Value& field : app.Find("subscribed_fields").items()) {
    const std::optional<std::string_view> name = field.is_object() ? field.Find("name").AsString() : field.AsString();
    if (!name || !IsFieldName(*name) || fields.size() >= kFieldsMax) continue;
    if (std::ranges::find(fields, *name) == fields.end()) fields.emplace_back(*name);
  }
}

std::string Path(std::string_view node, const std::vector<std::string>& fields) {
  std::string path = base::StrCat(node, "/subscribed_apps");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    path += base::StrCat(i == 0 ? "?subscribed_fields=" : ",", fields[i]);
  }
  return path;
}

// None of a WABA: its subscription names no fields.
std::vector<std::string> RequiredFields(const account::Account& account) {
  std::vector<std::string> required;
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) return required;
  for (const WebhookField& field : NodeFields(account)) {
    if (field.is_required) required.emplace_back(field.name);
  }
  return required;
}

}  // namespace

std::span<const WebhookField> WebhookFields(Channel channel) {
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) return kWhatsApp;
  if (channel == mesh::bus::v1::CHANNEL_MESSENGER) return kMessenger;
  return channel == mesh::bus::v1::CHANNEL_INSTAGRAM ? std::span<const WebhookField>(kInstagram)
                                                     : std::span<const WebhookField>();
}

std::string SubscriptionNode(const account::Account& account, std::string_view waba) {
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) return waba.empty() ? account.waba_id : std::string(waba);
  return account::IsInstagramByPage(account) ? "me" : account.account_id;
}

std::string OurApp(const account::Account& account, std::string_view of_token) {
  if (account::IsInstagramLogin(account)) return "";
  return of_token.empty() ? account.app_id : std::string(of_token);
}

Subscription ReadSubscription(const account::Account& account, std::string_view app_id, std::string_view body) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  const json::Value apps = document.ok() ? document->root().Find("data") : json::Value();
  Subscription subscription;
  for (const json::Value& app : apps.items()) {
    std::string id = AppIdOf(app);
    const bool is_ours = app_id.empty() || id == app_id;
    if (subscription.apps.size() < kAppsMax) subscription.apps.push_back(std::move(id));
    if (!is_ours) continue;
    subscription.has_app = true;
    ReadFields(app, subscription.fields);
  }
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP || !subscription.has_app) return subscription;
  if (account::IsInstagramByPage(account) && subscription.fields.empty()) {
    subscription.missing_field = std::string(kPageOfInstagram[0].name);
  }
  for (const WebhookField& field : NodeFields(account)) {
    if (!field.is_required || std::ranges::find(subscription.fields, field.name) != subscription.fields.end()) continue;
    subscription.missing_field = std::string(field.name);
    break;
  }
  return subscription;
}

std::string SubscribePath(const account::Account& account, std::string_view node,
                          const std::vector<std::string>& present) {
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) return Path(node, {});
  std::vector<std::string> fields;
  for (const WebhookField& field : NodeFields(account)) fields.emplace_back(field.name);
  for (const std::string& field : present) {
    if (std::ranges::find(fields, field) == fields.end()) fields.push_back(field);
  }
  return Path(node, fields);
}

Answer Subscribe(const account::Account& account, std::string_view node, const std::vector<std::string>& present,
                 const SendAndWait& send) {
  Answer answer = Ask(account, "POST", SubscribePath(account, node, present), send);
  // A field that does not exist (100), or one for which the token lacks the permission (200).
  const bool is_of_a_field =
      answer.refusal.trouble == Trouble::kUnknownId || answer.refusal.trouble == Trouble::kPermission;
  const std::vector<std::string> required = RequiredFields(account);
  if (answer.ok || !is_of_a_field || required.empty()) return answer;
  return Ask(account, "POST", Path(node, required), send);
}

}  // namespace graph
