#pragma once

#include <string>
#include <string_view>

#include "libs/json/value.h"

// What structured content says, in words that a model can read: Event::text of locations, contact cards, orders,
// products and forms. The structure itself stays in Event::original. Each is at most kOriginalBytesMax long, and ""
// where there is nothing to say.
namespace channel {

// "Location: Philz Coffee, 101 Forest Ave (37.44216, -122.16154)". Coordinates are numbers, or strings of them.
std::string LocationText(const json::Value& name, const json::Value& address, const json::Value& latitude,
                         const json::Value& longitude);

// "Contact: Jane Doe, +49 30 1234, jane@example.com", a line each. `contacts`: WhatsApp's contacts[] of a message.
std::string ContactsText(const json::Value& contacts);

// What the user wrote with it, then "Order: 2 x di9ozbzfi4 at 30 USD; ...". `order`: WhatsApp's.
std::string OrderText(const json::Value& order);

// What the user wrote, then "Product: di9ozbzfi4 of catalog 194836987003835": what "Is this available?" is about.
// `product`: WhatsApp's context.referred_product; just the words without one.
std::string WordsOnProduct(std::string_view words, const json::Value& product);

// "Form: size: L; date: 2026-11-26", of the answers in `response_json`, which may be no JSON at all; flow_token is the
// platform's, not the user's.
std::string FormText(std::string_view response_json);

}  // namespace channel
