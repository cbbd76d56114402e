#include "libs/channel/internal/readable.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/status/statusor.h"
#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/field.h"

namespace channel {
namespace {

constexpr std::size_t kItemsMax = 100;  // of a list that is told; what is left out is in the original

// Joins what is not empty.
void Append(std::string& text, std::string_view separator, std::string_view part) {
  if (part.empty()) return;
  if (!text.empty()) text += separator;
  text += part;
}

std::string Labelled(std::string_view label, std::string_view text) {
  return text.empty() ? std::string() : CutUtf8(std::string(label) + ": " + std::string(text), kOriginalBytesMax);
}

// A number as it would be written by hand: integers whole, others without what rounding adds.
std::string NumberText(const json::Value& value, int decimals) {
  if (std::optional<std::string> text = value.AsStringOrNumber()) {
    constexpr std::size_t kDigitsMax = 24;
    const bool is_number =
        !text->empty() && text->size() <= kDigitsMax && text->find_first_not_of("0123456789.+-") == std::string::npos;
    return is_number ? *std::move(text) : std::string();
  }
  const std::optional<double> number = value.AsDouble();
  if (!number) return {};
  char digits[64];
  const int size = std::snprintf(digits, sizeof(digits), "%.*f", decimals, *number);
  return size > 0 && static_cast<std::size_t>(size) < sizeof(digits) ? std::string(digits) : std::string();
}

std::string ContactText(const json::Value& contact) {
  std::string text = TextOf(contact.Find("name").Find("formatted_name"), kOriginalBytesMax);
  for (const auto& [list, field] : {std::pair{"phones", "phone"}, std::pair{"emails", "email"}}) {
    std::size_t count = 0;
    for (const json::Value& way : contact.Find(list).items()) {
      if (++count > kItemsMax) break;
      Append(text, ", ", TextOf(way.Find(field), kTitleBytesMax));
    }
  }
  return text;
}

std::string OrderItemText(const json::Value& item) {
  constexpr int kPriceDecimals = 2;
  const std::string product = IdOf(item.Find("product_retailer_id"));
  if (product.empty()) return {};
  const std::string quantity = NumberText(item.Find("quantity"), 0);
  const std::string price = NumberText(item.Find("item_price"), kPriceDecimals);
  std::string text = (quantity.empty() ? "1" : quantity) + " x " + product;
  if (price.empty()) return text;
  text += " at " + price;
  Append(text, " ", TextOf(item.Find("currency"), kTypeBytesMax));
  return text;
}

}  // namespace

std::string LocationText(const json::Value& name, const json::Value& address, const json::Value& latitude,
                         const json::Value& longitude) {
  constexpr int kMetre = 5;  // decimals of a degree
  std::string text = TextOf(name, kOriginalBytesMax);
  Append(text, ", ", TextOf(address, kOriginalBytesMax));
  const std::string north = NumberText(latitude, kMetre), east = NumberText(longitude, kMetre);
  if (!north.empty() && !east.empty()) Append(text, " ", "(" + north + ", " + east + ")");
  return Labelled("Location", text);
}

std::string ContactsText(const json::Value& contacts) {
  std::string text;
  std::size_t count = 0;
  for (const json::Value& contact : contacts.items()) {
    if (++count > kItemsMax) break;
    Append(text, "\n", Labelled("Contact", ContactText(contact)));
  }
  return CutUtf8(text, kOriginalBytesMax);
}

std::string OrderText(const json::Value& order) {
  std::string items;
  std::size_t count = 0;
  for (const json::Value& item : order.Find("product_items").items()) {
    if (++count > kItemsMax) break;
    Append(items, "; ", OrderItemText(item));
  }
  std::string text = TextOf(order.Find("text"), kOriginalBytesMax);
  Append(text, "\n", Labelled("Order", items));
  return CutUtf8(text, kOriginalBytesMax);
}

std::string WordsOnProduct(std::string_view words, const json::Value& product) {
  std::string about = IdOf(product.Find("product_retailer_id"));
  if (!about.empty()) Append(about, " of catalog ", IdOf(product.Find("catalog_id")));
  std::string text(words);
  Append(text, "\n", Labelled("Product", about));
  return CutUtf8(text, kOriginalBytesMax);
}

std::string FormText(std::string_view response_json) {
  const absl::StatusOr<json::Document> document =
      json::Document::Parse(response_json, {.bytes_max = kOriginalBytesMax});
  if (!document.ok()) return {};
  std::string answers;
  std::size_t count = 0;
  for (const auto& [key, value] : document->root().fields()) {
    if (key == "flow_token") continue;
    if (++count > kItemsMax) break;
    std::string answer = TextOf(value, kOriginalBytesMax);
    if (answer.empty() && !value.is_string()) answer = value.Raw();
    if (!answer.empty()) Append(answers, "; ", CutUtf8(key, kTitleBytesMax) + ": " + answer);
  }
  return Labelled("Form", answers);
}

}  // namespace channel
