#pragma once

#include <memory>
#include <string>

namespace grpc {
class Channel;
}

namespace rpc {

// A channel to one server. It connects when first used and again after a loss, with 100 ms to 2 s between tries; pings
// find a silent peer within 25 s. No proxy from the environment, and no retries inside: the caller decides what is
// retried.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target);

}  // namespace rpc
