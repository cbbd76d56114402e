#pragma once

namespace rpc::internal {

// HTTP/2 pings tell a dead peer from a silent one: after this much silence one ping, and that long for its answer.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 5'000;

// A server closes connections that ping more often ("too_many_pings"), so it must allow what our own clients do.
constexpr int kPingIntervalMinMs = 10'000;
static_assert(kPingIntervalMinMs <= kKeepaliveMs / 2);

}  // namespace rpc::internal
