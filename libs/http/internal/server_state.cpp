#include "libs/http/internal/server_state.h"

#include <algorithm>
#include <utility>

#include "libs/base/str_cat.h"

namespace http::internal {
namespace {

HeaderLimits LimitsOf(const ServerOptions& options) {
  return {.header_bytes_max = static_cast<std::size_t>(options.header_bytes_max),
          .fields_max = static_cast<std::size_t>(options.header_fields_max),
          .target_bytes_max = static_cast<std::size_t>(options.target_bytes_max)};
}

}  // namespace

RouteEntry::RouteEntry(Server::Route added, std::string_view service, telemetry::Registry& metrics)
    : route(std::move(added)),
      body_bytes_max(route.body_bytes_max),
      seconds(metrics.AddHistogram(base::StrCat(service, "_http_request_seconds"),
                                   "From the whole request being there to its answer being given",
                                   telemetry::LatencyBuckets(), {{"route", route.route}})) {
  if (route.path.ends_with('*')) {
    is_prefix = true;
    route.path.pop_back();
  }
  const auto add = [&](std::string code) {
    requests.push_back(metrics.AddCounter(base::StrCat(service, "_http_requests_total"), "Requests answered",
                                          {{"route", route.route}, {"code", std::move(code)}}));
  };
  for (const int code : kCountedCodes) add(base::StrCat(code));
  add("other");
}

void RouteEntry::Count(int status, base::Duration time) const {
  const auto found = std::find(kCountedCodes.begin(), kCountedCodes.end(), status);
  requests[static_cast<std::size_t>(found - kCountedCodes.begin())].Increment();
  seconds.Observe(base::ToSeconds(time));
}

ServerState::ServerState(const ServerOptions& server_options, std::string_view service, telemetry::Registry& metrics)
    : options(server_options),
      header_limits(LimitsOf(server_options)),
      no_route({.method = "", .path = "", .route = "none", .body_bytes_max = 0, .handler = nullptr}, service, metrics),
      connections_gauge(metrics.AddGauge(base::StrCat(service, "_http_connections"), "Open connections")) {
  for (std::size_t i = 1; i < kRefusalCount; ++i) {
    refused.push_back(metrics.AddCounter(base::StrCat(service, "_http_refused_total"),
                                         "Requests and connections refused before any handler saw them",
                                         {{"reason", std::string(ToString(static_cast<Refusal>(i)))}}));
  }
}

ServerState::Match ServerState::FindRoute(std::string_view method, std::string_view path) const {
  // Exact paths win over prefixes, longer prefixes over shorter ones; routes are few, so a scan is the fastest index.
  Match match;
  std::size_t best = 0;
  for (const RouteEntry& entry : routes) {
    const bool fits = entry.is_prefix ? path.starts_with(entry.route.path) : path == entry.route.path;
    if (!fits) continue;
    match.path_known = true;
    match.allow +=
        base::StrCat(match.allow.empty() ? "" : ", ", entry.route.method, entry.route.method == "GET" ? ", HEAD" : "");
    const bool method_fits = entry.route.method == method || (method == "HEAD" && entry.route.method == "GET");
    const std::size_t rank = 2 * entry.route.path.size() + (entry.is_prefix ? 1 : 2);
    if (method_fits && rank > best) {
      best = rank;
      match.entry = &entry;
    }
  }
  return match;
}

Refusal ServerState::OpenConnection(const std::string& peer) {
  std::lock_guard lock(mutex_);
  if (connections_ >= options.connections_max) return Refusal::kConnections;
  std::int32_t& count = peers_[peer];
  if (count >= options.connections_per_peer_max) return Refusal::kConnectionsPerPeer;
  ++count;
  ++connections_;
  connections_gauge.Add(1);
  return Refusal::kNone;
}

void ServerState::CloseConnection(const std::string& peer) {
  std::lock_guard lock(mutex_);
  const auto found = peers_.find(peer);
  if (--found->second == 0) peers_.erase(found);
  connections_gauge.Add(-1);
  if (--connections_ == 0) no_connections_.notify_all();
}

bool ServerState::WaitUntilNoConnections(base::MonotonicTime deadline) {
  std::unique_lock lock(mutex_);
  return no_connections_.wait_until(lock, deadline, [&] { return connections_ == 0; });
}

}  // namespace http::internal
