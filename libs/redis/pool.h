#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/redis/connection.h"
#include "libs/redis/options.h"
#include "libs/redis/reply.h"
#include "libs/telemetry/metrics.h"

namespace redis {

// A bounded set of connections to one Redis, with a circuit breaker, so that a dead Redis costs callers nothing.
//
// One monitor thread asks PING on a connection of its own: every second while Redis is up, and with back-off (50 ms
// doubling to 2 s) while it is down. Any caller's failure of the transport, and any answer like LOADING or MISCONF,
// opens the breaker at once; only the monitor closes it. While it is open, Acquire fails without touching the network,
// and says since when and why. So callers never queue up behind connect timeouts, and recovery needs no traffic and no
// restart. To close it, the monitor writes a key that expires: a Redis with a full disk, or a replica, answers PING.
//
// A Redis that is up and cannot keep up is spared by a base::AdaptiveThrottle: a lease counts as a request, and as
// accepted unless its last command, or the wait for a connection, took too long. What the breaker is for does not
// count.
//
// Threading: safe from any thread. The destructor joins the monitor. REQUIRES: no Lease outlives the pool.
// Metrics:   <service>_redis_up, <service>_redis_errors_total{kind}, <service>_redis_connections_in_use.
class Pool {
  struct Rep;

 public:
  // Probes once, then starts the monitor. Never fails because Redis is down: that is a state, see status().
  // `on_state(up)` runs on the calling thread with the first result and later on the monitor thread at each change; it
  // must not block nor call the pool.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(const RedisOptions& options, std::string_view service,
                                                      telemetry::Registry& metrics,
                                                      std::function<void(bool up)> on_state = nullptr);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A connection for the holder alone; given back by the destructor. Keep it for one or a few commands.
  class Lease {
   public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    // As Connection's, and failures reach the breaker and the metrics.
    absl::StatusOr<Reply> Run(const Command& command, base::MonotonicTime deadline);
    absl::StatusOr<std::vector<Reply>> RunPipeline(std::span<const Command> commands, base::MonotonicTime deadline);

   private:
    friend class Pool;
    Lease(Pool::Rep* pool, std::unique_ptr<Connection> connection, std::uint64_t epoch);
    Pool::Rep* pool_;  // nullptr after a move
    std::unique_ptr<Connection> connection_;
    std::uint64_t epoch_;         // of the pool when the connection was made; an older one is not reused
    std::optional<bool> served_;  // in time, the last command; unset where it says nothing of Redis's room
  };

  // Unavailable while Redis is down or the throttle holds this call back, at once. ResourceExhausted when all
  // connections are taken until the deadline
  // (--redis-pool-size).
  absl::StatusOr<Lease> Acquire(base::MonotonicTime deadline);

  absl::StatusOr<Reply> Run(const Command& command, base::MonotonicTime deadline);  // Acquire and run once

  absl::Status status() const;   // OK while Redis serves; else Unavailable with the cause and the time it began
  double refused_share() const;  // of the calls now, by the throttle: above 0 Redis cannot keep up
  const RedisOptions& options() const;

 private:
  explicit Pool(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
};

}  // namespace redis
