#include "loadtest/fake_channel_api/upload.h"

#include <string>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/json/value.h"
#include "libs/json/writer.h"
#include "loadtest/fake_channel_api/graph_error.h"

namespace fake_channel_api {
namespace {

http::Response Id(std::string_view name, std::string_view id) {
  json::Writer json;
  json.BeginObject();
  json.Field(name, id);
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

// The parts' names only, which stand there as they are.
bool HasPart(const http::Request& request, std::string_view name) {
  return request.body.find(base::StrCat("name=\"", name, "\"")) != std::string::npos;
}

bool IsAttachment(std::string_view body) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  if (!document.ok()) return false;
  const json::Value attachment = document->root().Find("message").Find("attachment");
  return attachment.Find("type").is_string() && attachment.Find("payload").Find("url").is_string();
}

}  // namespace

http::Response AnswerUpload(const http::Request& request, const account::Account& account, std::string_view edge,
                            std::uint64_t number) {
  const bool is_whatsapp = account.channel == mesh::bus::v1::CHANNEL_WHATSAPP;
  if (is_whatsapp != (edge == kMediaEdge))
    return ToResponse(InvalidParameter("Unsupported post request."), account.channel);
  if (is_whatsapp) {
    if (!request.Header("content-type").starts_with("multipart/form-data;") || !HasPart(request, "messaging_product"))
      return ToResponse(InvalidParameter("The parameter messaging_product is required."), account.channel);
    if (!HasPart(request, "file"))
      return ToResponse(InvalidParameter("The parameter file is required."), account.channel);
    return Id("id", base::StrCat("media-png-upload", number));
  }
  if (!IsAttachment(request.body)) {
    return ToResponse(InvalidParameter("The parameter message[attachment] needs a type and a url."), account.channel);
  }
  return Id("attachment_id", base::StrCat("1857777774821", number));
}

}  // namespace fake_channel_api
