#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account.h"
#include "libs/graph/question.h"

namespace graph {

// A webhook field, and whether without it nobody is answered.
struct WebhookField {
  std::string_view name;
  bool is_required = false;
};

// The one table of the webhook fields that musemesh lives on; docs/meta-app.md shows it and a test compares. All are
// chosen for the app in its settings. Those of a page or an Instagram account are also named when the app is subscribed
// to it; the subscription of a WABA names none, and that of a page behind an Instagram account any one of its own
// (channels.md 1.3, 2.1 to 2.3).
std::span<const WebhookField> WebhookFields(mesh::bus::v1::Channel channel);

// Whose subscription brings the account's webhooks, as a path of the Graph API: the WABA, the page, the Instagram
// account, or for an Instagram account that is reached by its page "me", which is the page of the token. `waba`, when
// not empty, goes before the account's own. Empty: the account names no WABA.
std::string SubscriptionNode(const account::Account& account, std::string_view waba = {});

// The id of the app whose subscription counts: that of the token, and where Meta does not tell it (`of_token` is empty)
// that of the accounts file. Empty: not known. With Instagram Login it never is: no answer names a token's app, and
// those that are listed are told by ids of another kind, or not at all (verify).
std::string OurApp(const account::Account& account, std::string_view of_token);

struct Subscription {
  std::vector<std::string> apps;    // ids of all that are subscribed, the first 16; "" where Meta tells none
  bool has_app = false;             // our app is subscribed
  std::string missing_field;        // the first required field that it is not subscribed to
  std::vector<std::string> fields;  // what it is subscribed to; empty for WhatsApp

  bool is_whole() const { return has_app && missing_field.empty(); }
};

// The body of GET /{node}/subscribed_apps. `app_id` is that of our app; empty: not known, and any app is taken for
// ours.
Subscription ReadSubscription(const account::Account& account, std::string_view app_id, std::string_view body);

// POST /{node}/subscribed_apps, with every field of the table and those of `present`, for Meta replaces the list
// (verify). Should one of them be unknown to Meta, or not allowed to the app, the required ones are asked for alone.
Answer Subscribe(const account::Account& account, std::string_view node, const std::vector<std::string>& present,
                 const SendAndWait& send);

// "/{node}/subscribed_apps?subscribed_fields=..." of that request.
std::string SubscribePath(const account::Account& account, std::string_view node,
                          const std::vector<std::string>& present = {});

}  // namespace graph
