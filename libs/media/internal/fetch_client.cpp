#include "libs/media/internal/fetch_client.h"

#include <chrono>

#include "libs/base/check.h"
#include "libs/media/internal/address_class.h"

namespace media::internal {
namespace {

// Half of a turn's patience: a connection that hangs leaves time for another one.
constexpr base::Duration kStallTimeout = std::chrono::seconds(4);

}  // namespace

absl::StatusOr<std::unique_ptr<http::Client>> MakeFetchClient(Route route, const FetcherOptions& options,
                                                              std::string_view service, telemetry::Registry& metrics) {
  CHECK(route != Route::kRefused);
  http::ClientOptions client;
  client.connections_per_host_max = options.fetches_max;
  client.requests_queued_max = options.fetches_max + 1;
  client.response_bytes_max = options.bytes_max;
  client.stall_timeout = kStallTimeout;
  client.ca_file = options.ca_file;
  if (route == Route::kPublic) client.may_connect = IsPublic;
  return http::Client::Create(client, service, metrics);
}

}  // namespace media::internal
