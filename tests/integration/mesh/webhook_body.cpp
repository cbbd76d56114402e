#include "tests/integration/mesh/webhook_body.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/clock.h"

namespace mesh_test {
namespace {

// Of a message that was sent just now: to an old one nothing may be said any more.
std::string Milliseconds() { return std::to_string(base::Clock::Real().WallMs()); }
std::string Seconds() { return std::to_string(base::Clock::Real().WallMs() / 1000); }

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string WhatsAppEnvelope(std::string_view account, const std::string& fields, std::string_view field = "messages") {
  return absl::StrCat(
      R"({"object":"whatsapp_business_account","entry":[{"id":"waba-1","changes":[{"field":")", View(field),
      R"(","value":{)",
      R"("messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":")",
      View(account), R"("},)", fields, "}}]}]}");
}

}  // namespace

std::string TextMessageBody(std::string_view channel, std::string_view account, std::string_view user,
                            std::string_view message_id, std::string_view text) {
  if (channel == "whatsapp") {
    return WhatsAppEnvelope(account, absl::StrCat(R"("contacts":[{"profile":{"name":"Test"},"wa_id":")", View(user),
                                                  R"("}],"messages":[{"from":")", View(user), R"(","id":")",
                                                  View(message_id), R"(","timestamp":")", Seconds(),
                                                  R"(","type":"text","text":{"body":")", View(text), R"("}}])"));
  }
  CHECK(channel == "messenger" || channel == "instagram");
  return absl::StrCat(R"({"object":")", channel == "messenger" ? "page" : "instagram", R"(","entry":[{"id":")",
                      View(account), R"(","time":)", Milliseconds(), R"(,"messaging":[{"sender":{"id":")", View(user),
                      R"("},"recipient":{"id":")", View(account), R"("},"timestamp":)", Milliseconds(),
                      R"(,"message":{"mid":")", View(message_id), R"(","text":")", View(text), R"("}}]}]})");
}

std::string TextAboutProductBody(std::string_view account, std::string_view user, std::string_view message_id,
                                 std::string_view text) {
  return WhatsAppEnvelope(
      account,
      absl::StrCat(R"("messages":[{"from":")", View(user), R"(","id":")", View(message_id), R"(","timestamp":")",
                   Seconds(), R"(","type":"text","text":{"body":")", View(text),
                   R"("},"context":{"from":"15550001111",)",
                   R"("id":"wamid.catalogue","referred_product":{"catalog_id":"77","product_retailer_id":"p1"}}}])"));
}

std::string UnsupportedBody(std::string_view account, std::string_view user, std::string_view message_id,
                            std::string_view what) {
  return WhatsAppEnvelope(
      account,
      absl::StrCat(R"("messages":[{"from":")", View(user), R"(","id":")", View(message_id), R"(","timestamp":")",
                   Seconds(), R"(","type":"unsupported","errors":[{"code":131051,"title":"Message type unknown"}],)",
                   R"("unsupported":{"type":")", View(what), R"("}}])"));
}

std::string WhatsAppImageBody(std::string_view account, std::string_view user, std::string_view message_id,
                              std::string_view media_id, std::string_view sha256) {
  return WhatsAppEnvelope(account, absl::StrCat(R"("messages":[{"from":")", View(user), R"(","id":")", View(message_id),
                                                R"(","timestamp":")", Seconds(),
                                                R"(","type":"image","image":{"mime_type":"image/png","sha256":")",
                                                View(sha256), R"(","id":")", View(media_id), R"("}}])"));
}

std::string ImageUrlBody(std::string_view channel, std::string_view account, std::string_view user,
                         std::string_view message_id, std::string_view url) {
  return absl::StrCat(R"({"object":")", channel == "messenger" ? "page" : "instagram", R"(","entry":[{"id":")",
                      View(account), R"(","time":)", Milliseconds(), R"(,"messaging":[{"sender":{"id":")", View(user),
                      R"("},"recipient":{"id":")", View(account), R"("},"timestamp":)", Milliseconds(),
                      R"(,"message":{"mid":")", View(message_id),
                      R"(","attachments":[{"type":"image","payload":{"url":")", View(url), R"("}}]}}]}]})");
}

std::string DeliveredStatusBody(std::string_view account, std::string_view user, std::string_view message_id) {
  return WhatsAppEnvelope(
      account, absl::StrCat(R"("statuses":[{"id":")", View(message_id), R"(","status":"delivered","timestamp":")",
                            Seconds(), R"(","recipient_id":")", View(user), R"("}])"));
}

std::string ButtonReplyBody(std::string_view account, std::string_view user, std::string_view message_id,
                            std::string_view id, std::string_view title) {
  return WhatsAppEnvelope(
      account,
      absl::StrCat(R"("messages":[{"from":")", View(user), R"(","id":")", View(message_id), R"(","timestamp":")",
                   Seconds(), R"(","type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":")",
                   View(id), R"(","title":")", View(title), R"("}}}])"));
}

std::string AgedBody(std::string body, std::int64_t age_s) {
  constexpr std::string_view kTimestamp = R"("timestamp":")";
  const std::size_t begin = body.find(kTimestamp);
  CHECK(begin != std::string::npos);
  const std::size_t digits = begin + kTimestamp.size();
  return body.replace(digits, body.find('"', digits) - digits,
                      std::to_string(base::Clock::Real().WallMs() / 1000 - age_s));
}

std::string ChangedNumberBody(std::string_view account, std::string_view from, std::string_view to) {
  return WhatsAppEnvelope(account, absl::StrCat(R"("messages":[{"from":")", View(from), R"(","id":"wamid.change.)",
                                                View(from), R"(","timestamp":")", Seconds(),
                                                R"(","type":"system","system":{"body":"changed","wa_id":")", View(to),
                                                R"(","type":"user_changed_number"}}])"));
}

std::string RevokeBody(std::string_view account, std::string_view user, std::string_view message_id,
                       std::string_view revoked_message_id) {
  return WhatsAppEnvelope(
      account, absl::StrCat(R"("messages":[{"from":")", View(user), R"(","id":")", View(message_id),
                            R"(","timestamp":")", Seconds(), R"(","type":"revoke","revoke":{"original_message_id":")",
                            View(revoked_message_id), R"("}}])"));
}

std::string PreferenceBody(std::string_view account, std::string_view user, std::string_view value) {
  return WhatsAppEnvelope(account,
                          absl::StrCat(R"("user_preferences":[{"wa_id":")", View(user),
                                       R"(","detail":"User requested it","category":"marketing_messages","value":")",
                                       View(value), R"(","timestamp":)", Seconds(), "}]"),
                          "user_preferences");
}

}  // namespace mesh_test
