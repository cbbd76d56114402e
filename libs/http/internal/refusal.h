#pragma once

#include <cstddef>
#include <string_view>

namespace http::internal {

// Why the server refused a request or a connection by itself; the bounded vocabulary of
// <service>_http_refused_total{reason}.
enum class Refusal {
  kNone,
  // The header's bytes
  kBadRequestLine,
  kBadTarget,
  kTargetTooLong,
  kUnsupportedVersion,
  kBareLineFeed,
  kObsoleteFold,
  kBadFieldName,
  kBadFieldValue,
  kTooManyFields,
  kHeaderTooLarge,
  kBadContentLength,
  kRepeatedContentLength,
  kLengthAndCoding,
  kUnknownCoding,
  kMissingHost,
  kBadHost,
  kUnknownExpectation,
  kMalformed,  // the parser behind the scan said no
  // The body
  kBodyTooLarge,
  kBadBody,
  kMemory,  // bodies being received by the whole server use up their budget
  // Time
  kHeaderTimeout,
  kBodyTimeout,
  kWriteStall,
  // Connections
  kConnections,
  kConnectionsPerPeer,
  kDescriptors,  // the process is out of file descriptors: accepting pauses
  kCount,
};

inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kCount);

std::string_view ToString(Refusal refusal);

// The status sent before the connection is closed; 0 where nothing is sent.
int StatusOf(Refusal refusal);

}  // namespace http::internal
