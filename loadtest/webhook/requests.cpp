#include "loadtest/webhook/requests.h"

#include <cmath>
#include <cstdint>

#include "libs/base/clock.h"
#include "libs/channel/codec.h"

namespace loadtest {
namespace {

std::string Envelope(const std::string& account, const std::string& lists) {
  return R"({"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":)"
         R"({"messaging_product":"whatsapp",)"
         R"("metadata":{"display_phone_number":"15550783881","phone_number_id":")" +
         account + R"("},)" + lists + R"(},"field":"messages"}]}]})";
}

// The gateway takes no message that is days old.
std::string NowSeconds() { return std::to_string(base::Clock::Real().WallMs() / 1000); }

std::string MessageBody(const std::string& account, const std::string& user, const std::string& id) {
  return Envelope(account, R"("contacts":[{"profile":{"name":"Load Test"},"wa_id":")" + user +
                               R"("}],"messages":[{"from":")" + user + R"(","id":"wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz)" +
                               id + R"(","timestamp":")" + NowSeconds() +
                               R"(","type":"text","text":{"body":"What is the capital of Japan, and )" +
                               R"(what should I see there on a rainy day?"}}])");
}

std::string StatusBody(const std::string& account, const std::string& user, const std::string& id,
                       std::string_view state) {
  return Envelope(account, R"("statuses":[{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5)" + id + R"(","status":")" +
                               std::string(state) + R"(","timestamp":")" + NowSeconds() + R"(","recipient_id":")" +
                               user + R"(","conversation":{"id":"f3b1","origin":{"type":"service"}},)" +
                               R"("pricing":{"billable":false,"pricing_model":"PMP","category":"service"}}])");
}

std::string Request(const std::string& host, const account::Account& account, const std::string& body) {
  return "POST /webhooks/whatsapp HTTP/1.1\r\nHost: " + host +
         "\r\nUser-Agent: facebookexternalua\r\nContent-Type: application/json\r\nX-Hub-Signature-256: " +
         channel::SignatureFor(body, account.app_secrets.front()) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

std::vector<std::string> SignedRequests(const account::Account& account, const RequestOptions& options) {
  constexpr std::int64_t kFirstUser = 15'550'000'000;
  constexpr const char* kStates[] = {"sent", "delivered", "read"};
  std::vector<std::string> requests;
  requests.reserve(static_cast<std::size_t>(options.count));
  double statuses_due = 0;
  for (int number = 0; number < options.count; ++number) {
    const std::string user = std::to_string(kFirstUser + number % options.users);
    const std::string id = std::to_string(number);
    const bool is_status = statuses_due >= 1;
    statuses_due += is_status ? -1 : options.statuses_per_message;
    requests.push_back(Request(options.host, account,
                               is_status ? StatusBody(account.account_id, user, id, kStates[number % 3])
                                         : MessageBody(account.account_id, user, id)));
  }
  return requests;
}

}  // namespace loadtest
