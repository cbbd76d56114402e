#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/http/client.h"
#include "libs/media/fetcher.h"
#include "libs/media/internal/source_policy.h"
#include "libs/telemetry/metrics.h"

namespace media::internal {

// The HTTP client of a route: that of kPublic connects to public addresses alone, whatever a name resolves to.
absl::StatusOr<std::unique_ptr<http::Client>> MakeFetchClient(Route route, const FetcherOptions& options,
                                                              std::string_view service, telemetry::Registry& metrics);

}  // namespace media::internal
