#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace loadtest {

struct HttpLoadOptions {
  std::string host;  // an address on this machine
  std::uint16_t port = 0;
  int connections = 64;  // kept alive, one request in flight on each
  double seconds = 10;
  double rate = 0;  // requests a second, evenly; 0: the next one as soon as an answer has come
};

struct HttpLoadResult {
  double seconds = 0;
  std::map<int, std::int64_t> answers;  // by HTTP status; 0: the connection broke before an answer
  std::vector<double> milliseconds;     // of each 200. With a rate: from when it was due, so that a late start counts
  std::int64_t overdue = 0;             // requests of the rate that were never begun
};

// Sends `requests` (whole HTTP/1.1 requests) around and around. One thread, epoll. Unavailable: nobody listens there.
absl::StatusOr<HttpLoadResult> RunHttpLoad(const HttpLoadOptions& options, const std::vector<std::string>& requests);

}  // namespace loadtest
