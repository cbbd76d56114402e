#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/http/client.h"
#include "libs/http/url.h"
#include "libs/media/internal/aws_signature.h"
#include "libs/media/store.h"

namespace media {

struct S3StoreOptions {
  std::string url = {};  // http(s)://host[:port]/bucket[/prefix][?region=...]; the region is us-east-1 by default
  std::string credentials_file = {};   // two lines: access key id, secret access key
  std::int64_t bytes_max = 100 << 20;  // of one file that is read back
  std::string ca_file = {};            // PEM; empty: the system's
};

// A bucket of an S3-compatible service, path style: <bucket>/<prefix>/<StoreKey::Path()>. Signed with AWS Signature
// Version 4, over the clock of this machine, which must be right to some minutes.
//
// What is old goes by a lifecycle rule of the bucket: Expire does nothing.
// Bound: a call takes kCallTimeout at most, and is not repeated.
class S3Store final : public Store {
 public:
  static constexpr base::Duration kCallTimeout = std::chrono::seconds(5);

  // InvalidArgument for a URL that is none or names no bucket; what Secret::FromFile says of the credentials.
  static absl::StatusOr<std::unique_ptr<S3Store>> Open(const S3StoreOptions& options, std::string_view service,
                                                       telemetry::Registry& metrics);

  absl::Status Put(const StoreKey& key, std::string_view bytes) override;
  absl::StatusOr<std::string> Get(const StoreKey& key) override;
  absl::Status Delete(const StoreKey& key) override;
  void Expire() override {}

 private:
  S3Store() = default;
  http::ClientResult Call(std::string_view method, const StoreKey& key, std::string body);
  absl::Status Refused(std::string_view method, int http_status) const;

  std::unique_ptr<http::Client> client_;  // all constant after Open
  http::Url endpoint_;                    // its target is /bucket[/prefix]
  std::string region_ = "us-east-1";
  internal::AwsCredentials credentials_;
};

}  // namespace media
