#include "loadtest/fake_channel_api/media.h"

#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"
#include "libs/json/writer.h"
#include "loadtest/fake_channel_api/graph_error.h"
#include "loadtest/fake_channel_api/target.h"

namespace fake_channel_api {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view kPrefix = "media-";
constexpr std::size_t kIdsMax = 10'000;
constexpr std::size_t kLargeBytes = 6 << 20;

std::string Picture() {
  return "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90\x77\x53\xDE"
         "\0\0\0\x0CIDAT\x78\x9C\x63\xF8\xCF\xC0\0\0\x03\x01\x01\0\xC9\xFE\x92\xEF\0\0\0\0IEND\xAE\x42\x60\x82"s;
}

std::string_view BehaviourOf(std::string_view id) {
  id.remove_prefix(kPrefix.size());
  return id.substr(0, id.find('-'));
}

http::Response Png(std::string body) {
  return {.status = 200, .headers = {}, .body = std::move(body), .content_type = "image/png"};
}

http::Response Redirect(std::string_view location) {
  return {.status = 302, .headers = {{"Location", std::string(location)}}, .body = {}};
}

http::Response NotFound() { return {.status = 404, .headers = {}, .body = "no such file\n"}; }

//   generation : which of the URLs that were handed out; 0 for one that never expires
http::Response FileOf(std::string_view behaviour, std::int64_t generation) {
  if (behaviour == "png" || behaviour == "slow") return Png(Picture());
  if (behaviour == "expired") return generation == 1 ? NotFound() : Png(Picture());
  if (behaviour == "loopback") return Redirect("http://127.0.0.1:1/");
  if (behaviour == "metadata") return Redirect("http://169.254.169.254/latest/meta-data/");
  if (behaviour == "mapped") return Redirect("https://[::ffff:10.0.0.1]/");
  if (behaviour == "large") return Png(Picture() + std::string(kLargeBytes, '\0'));
  if (behaviour == "html") return Png("<!doctype html><title>Log in</title>");
  if (behaviour == "bomb") return Png(Picture().replace(16, 8, "\0\0\xFF\xFF\0\0\xFF\xFF"s));
  if (behaviour == "gzip") {
    http::Response response = Png("\x1F\x8B\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"s);
    response.headers = {{"Content-Encoding", "gzip"}};
    return response;
  }
  return NotFound();
}

}  // namespace

bool Media::IsMediaId(std::string_view id) { return id.starts_with(kPrefix); }

http::Response Media::Describe(const http::Request& request, const account::AccountBook& accounts) {
  if (!HasToken(request, accounts)) return ToResponse(NoToken(), mesh::bus::v1::CHANNEL_WHATSAPP);
  const std::string id(std::string_view(request.path).substr(request.path.rfind('/') + 1));
  std::int64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    if (described_.size() >= kIdsMax) described_.clear();
    generation = ++described_[id];
  }
  const http::Response file = FileOf(BehaviourOf(id), /*generation=*/0);
  if (file.status == 404) {
    return ToResponse(InvalidParameter("Object does not exist", "Media not found"), mesh::bus::v1::CHANNEL_WHATSAPP);
  }
  json::Writer json;
  json.BeginObject();
  json.Field("messaging_product", "whatsapp");
  json.Field("url", base::StrCat("http://", request.Header("host"), "/lookaside/", id, "/", generation));
  json.Field("mime_type", "image/png");
  json.Field("id", id);
  // Only of what is honest about itself: the rest is to be found out from the file.
  if (BehaviourOf(id) == "png" || BehaviourOf(id) == "expired") {
    json.Field("sha256", base::ToHex(crypto::AsBytes(crypto::Sha256(file.body))));
    json.Field("file_size", std::to_string(file.body.size()));
  }
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

http::Response Media::File(const http::Request& request, const account::AccountBook& accounts, std::int64_t* delay_ms) {
  const std::vector<std::string> parts = absl::StrSplit(request.path, '/');
  if (parts.size() < 3 || !IsMediaId(parts[2])) return NotFound();
  std::int64_t generation = 0;
  if (parts[1] == "lookaside") {
    if (!HasToken(request, accounts)) return {.status = 401, .headers = {}, .body = "a token is required\n"};
    if (parts.size() != 4) return NotFound();
    const auto [end, error] = std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), generation);
    if (error != std::errc() || end != parts[3].data() + parts[3].size()) return NotFound();
  }
  if (BehaviourOf(parts[2]) == "slow") *delay_ms = kSlowMs;
  return FileOf(BehaviourOf(parts[2]), generation);
}

}  // namespace fake_channel_api
