#include "libs/media/internal/aws_signature.h"

#include <ctime>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"

namespace media::internal {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string TimeText(std::int64_t wall_ms) {  // 20130524T000000Z
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc));
}

std::string Hmac(std::string_view key, std::string_view bytes) {
  return std::string(crypto::AsBytes(crypto::HmacSha256(key, bytes)));
}

std::string HexDigest(std::string_view bytes) { return base::ToHex(crypto::AsBytes(crypto::Sha256(bytes))); }

}  // namespace

http::HeaderList SignedHeaders(const AwsRequest& request, const AwsCredentials& credentials) {
  const std::string time = TimeText(request.wall_ms);
  const std::string day = time.substr(0, 8);
  const std::string body_hex = base::ToHex(crypto::AsBytes(request.body_digest));

  http::HeaderList sent = request.headers;
  sent.emplace_back("x-amz-content-sha256", body_hex);
  sent.emplace_back("x-amz-date", time);
  std::string fields = base::StrCat("host:", request.host, "\n");
  std::string names = "host";
  for (const auto& [name, value] : sent) {
    fields += base::StrCat(name, ":", value, "\n");
    names += base::StrCat(";", name);
  }
  const std::string canonical =
      base::StrCat(request.method, "\n", request.path, "\n\n", fields, "\n", names, "\n", body_hex);
  const std::string scope = base::StrCat(day, "/", request.region, "/s3/aws4_request");
  const std::string to_sign = base::StrCat(kAlgorithm, "\n", time, "\n", scope, "\n", HexDigest(canonical));

  // Reveal: the key that is derived from it signs one day of one region
  const std::string first = Hmac(base::StrCat("AWS4", credentials.secret_access_key.Reveal()), day);
  const std::string key = Hmac(Hmac(Hmac(first, request.region), "s3"), "aws4_request");
  sent.emplace_back("Authorization",
                    base::StrCat(kAlgorithm, " Credential=", credentials.access_key_id, "/", scope,
                                 ",SignedHeaders=", names, ",Signature=", base::ToHex(Hmac(key, to_sign))));
  return sent;
}

}  // namespace media::internal
