#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libs/crypto/digest.h"
#include "libs/crypto/secret.h"
#include "libs/http/message.h"

namespace media::internal {

struct AwsCredentials {
  std::string access_key_id;
  crypto::Secret secret_access_key;
};

// What is signed of a request to an S3-compatible service. No query.
struct AwsRequest {
  std::string_view method;
  std::string_view host;             // as in the Host field, with a port that is not the scheme's own
  std::string_view path;             // of unreserved characters and '/', so that nothing needs an escape
  http::HeaderList headers = {};     // further signed fields, names in lower case and in order before "x-amz-"
  crypto::Sha256Digest body_digest;  // SHA-256
  std::string_view region;
  std::int64_t wall_ms = 0;
};

// AWS Signature Version 4 for the service "s3": the header fields to send, Authorization last.
http::HeaderList SignedHeaders(const AwsRequest& request, const AwsCredentials& credentials);

}  // namespace media::internal
