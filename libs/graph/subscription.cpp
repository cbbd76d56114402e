#include "libs/graph/subscription.h"

#include <algorithm>
#include <optional>

#include "libs/base/str_cat.h"
#include "libs/json/value.h"

namespace graph {
namespace {

using mesh::bus::v1::Channel;

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
    {"messages", true},     {"messaging_postbacks", true}, {"messaging_seen"}, {"message_reactions"},
    {"messaging_handover"}, {"messaging_referral"},        {"standby"}};

bool IsByPage(const account::Account& account) {
  return account.channel == mesh::bus::v1::CHANNEL_INSTAGRAM && account.graph_base_url == "https://graph.facebook.com";
}

// The fields of a page, where an Instagram account is reached by one.
std::span<const WebhookField> NodeFields(const account::Account& account) {
  return WebhookFields(IsByPage(account) ? mesh::bus::v1::CHANNEL_MESSENGER : account.channel);
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

std::vector<std::string> RequiredFields(const account::Account& account) {
  std::vector<std::string> required;
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
  return IsByPage(account) ? "me" : account.account_id;
}

Subscription ReadSubscription(Channel channel, std::string_view app_id, std::string_view body) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  const json::Value apps = document.ok() ? document->root().Find("data") : json::Value();
  Subscription subscription;
  for (const json::Value& app : apps.items()) {
    if (!app_id.empty() && AppIdOf(app) != app_id) continue;
    subscription.has_app = true;
    ReadFields(app, subscription.fields);
  }
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP || !subscription.has_app) return subscription;
  // Required fields have one name in all tables of pages and Instagram accounts.
  for (const WebhookField& field : WebhookFields(channel)) {
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
  const bool may_narrow = account.channel != mesh::bus::v1::CHANNEL_WHATSAPP;
  if (answer.ok || !may_narrow || answer.refusal.trouble != Trouble::kUnknownId) return answer;
  return Ask(account, "POST", Path(node, RequiredFields(account)), send);
}

}  // namespace graph
