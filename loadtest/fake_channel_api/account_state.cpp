#include "loadtest/fake_channel_api/account_state.h"

#include <optional>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/json/value.h"
#include "libs/json/writer.h"

namespace fake_channel_api {
namespace {

absl::Status WrongType(std::string_view name) {
  return absl::InvalidArgumentError(
      base::StrCat(name,
                   " is of the wrong type or no state; there are token_expired, token_expires_at, "
                   "data_access_expires_at, token_scopes, quality_rating, status, messaging_limit_tier, subscribed"));
}

template <typename Value>
absl::Status Put(std::string_view name, const std::optional<Value>& value, auto* target) {
  if (!value) return WrongType(name);
  *target = *value;
  return absl::OkStatus();
}

std::optional<std::vector<std::string>> TextsOf(const json::Value& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const json::Value& item : value.items()) {
    const std::optional<std::string_view> text = item.AsString();
    if (!text) return std::nullopt;
    texts.emplace_back(*text);
  }
  return texts;
}

absl::Status Change(std::string_view name, const json::Value& value, AccountState* state) {
  if (name == "token_expired") return Put(name, value.AsBool(), &state->token_expired);
  if (name == "subscribed") return Put(name, value.AsBool(), &state->subscribed);
  if (name == "token_expires_at") return Put(name, value.AsInt64(), &state->token_expires_at);
  if (name == "data_access_expires_at") return Put(name, value.AsInt64(), &state->data_access_expires_at);
  if (name == "token_scopes") return Put(name, TextsOf(value), &state->token_scopes);
  if (name == "quality_rating") return Put(name, value.AsString(), &state->quality_rating);
  if (name == "status") return Put(name, value.AsString(), &state->status);
  if (name == "messaging_limit_tier") return Put(name, value.AsString(), &state->messaging_limit_tier);
  return WrongType(name);
}

}  // namespace

AccountState AccountStates::Of(const account::Account& account) const {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(account.account_id);
  return found == states_.end() ? AccountState{} : found->second;
}

absl::Status AccountStates::Apply(const account::Account& account, std::string_view text) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(text);
  if (!document.ok() || !document->root().is_object())
    return absl::InvalidArgumentError("want a JSON object of states");
  const std::lock_guard lock(mutex_);
  AccountState state = states_[account.account_id];
  for (const auto& [name, value] : document->root().fields()) {
    if (absl::Status status = Change(name, value, &state); !status.ok()) return status;
  }
  states_[account.account_id] = std::move(state);
  return absl::OkStatus();
}

void AccountStates::Subscribe(const account::Account& account, std::vector<std::string> fields) {
  const std::lock_guard lock(mutex_);
  AccountState& state = states_[account.account_id];
  state.subscribed = true;
  state.subscribed_fields = std::move(fields);
  ++state.subscriptions;
}

std::string ToJson(const AccountState& state) {
  json::Writer json;
  json.BeginObject();
  json.Field("token_expired", state.token_expired);
  json.Field("token_expires_at", state.token_expires_at);
  json.Field("data_access_expires_at", state.data_access_expires_at);
  if (state.token_scopes) {
    json.Key("token_scopes");
    json.BeginArray();
    for (const std::string& scope : *state.token_scopes) json.String(scope);
    json.EndArray();
  }
  json.Field("quality_rating", state.quality_rating);
  json.Field("status", state.status);
  json.Field("messaging_limit_tier", state.messaging_limit_tier);
  json.Field("subscribed", state.subscribed);
  json.Field("subscriptions", state.subscriptions);
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace fake_channel_api
