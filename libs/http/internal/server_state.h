#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/http/internal/header_scan.h"
#include "libs/http/internal/refusal.h"
#include "libs/http/server.h"
#include "libs/telemetry/metrics.h"

namespace http::internal {

// Status codes with a series of their own; all others are counted as "other".
inline constexpr std::array<int, 13> kCountedCodes = {200, 204, 302, 400, 401, 403, 404, 405, 408, 413, 429, 500, 503};

// One route with its metric handles.
struct RouteEntry {
  RouteEntry(Server::Route route, std::string_view service, telemetry::Registry& metrics);
  void Count(int status, base::Duration time) const;

  Server::Route route;
  bool is_prefix = false;                    // `path` ended in '*', which is cut off
  std::int64_t body_bytes_max;               // resolved by the server
  std::vector<telemetry::Counter> requests;  // [kCountedCodes.size() + 1]; the last is "other"
  telemetry::Histogram seconds;
};

// What all connections of one server share. Outlives them.
//
// Threading: options, routes and metric handles are constant once the server has started; the rest synchronises itself.
struct ServerState {
  ServerState(const ServerOptions& options, std::string_view service, telemetry::Registry& metrics);

  struct Match {
    const RouteEntry* entry = nullptr;  // nullptr: no such path, or no such method at this path
    bool path_known = false;
    std::string allow;  // methods of the path, for 405
  };
  Match FindRoute(std::string_view method, std::string_view path) const;

  void CountRefusal(Refusal refusal) const { refused[static_cast<std::size_t>(refusal) - 1].Increment(); }

  // kNone: admitted, and CloseConnection must follow.
  Refusal OpenConnection(const std::string& peer);
  void CloseConnection(const std::string& peer);
  // False when connections are left at the deadline.
  bool WaitUntilNoConnections(base::MonotonicTime deadline);

  const ServerOptions options;
  const HeaderLimits header_limits;
  std::vector<RouteEntry> routes;
  RouteEntry no_route;
  std::vector<telemetry::Counter> refused;  // [kRefusalCount - 1], in order, without kNone
  telemetry::Gauge connections_gauge;

  std::atomic<std::int64_t> body_bytes_in_flight{0};

 private:
  std::mutex mutex_;
  std::condition_variable no_connections_;
  std::int32_t connections_ = 0;               // protected by mutex_
  std::map<std::string, std::int32_t> peers_;  // open connections by address; protected by mutex_
};

}  // namespace http::internal
