#include "loadtest/fake_channel_api/graph_error.h"

#include <utility>

#include "libs/base/str_cat.h"
#include "libs/crypto/base64.h"
#include "libs/crypto/random.h"
#include "libs/json/writer.h"

namespace fake_channel_api {

http::Response JsonAnswer(std::string body) {
  return {.status = 200, .headers = {}, .body = std::move(body), .content_type = "application/json; charset=UTF-8"};
}

http::Response ToResponse(const GraphError& error, mesh::bus::v1::Channel channel) {
  json::Writer json;
  json.BeginObject();
  json.Key("error");
  json.BeginObject();
  json.Field("message", error.message);
  json.Field("type", "OAuthException");
  json.Field("code", std::int64_t{error.code});
  if (error.subcode != 0) json.Field("error_subcode", std::int64_t{error.subcode});
  if (error.is_transient) json.Field("is_transient", true);
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP && !error.details.empty()) {
    json.Key("error_data");
    json.BeginObject();
    json.Field("messaging_product", "whatsapp");
    json.Field("details", error.details);
    json.EndObject();
  }
  json.Field("fbtrace_id", "A" + crypto::Base64Encode(crypto::RandomBytes(15)));
  json.EndObject();
  json.EndObject();
  return {.status = error.http_status,
          .headers = {},
          .body = std::move(json).Take(),
          .content_type = "application/json; charset=UTF-8"};
}

GraphError InvalidParameter(std::string message, std::string details) {
  return {.http_status = 400, .code = 100, .message = base::StrCat("(#100) ", message), .details = std::move(details)};
}

GraphError InvalidValue(std::string details) {
  return {.http_status = 400,
          .code = 131009,
          .message = "(#131009) Parameter value is not valid",
          .details = std::move(details)};
}

}  // namespace fake_channel_api
