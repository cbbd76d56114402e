#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace exporter {

struct GpuFigures {
  double utilization_ratio = 0;  // share of the last sample period in which a kernel ran, 0 to 1
  std::int64_t memory_used_bytes = 0;
  std::int64_t memory_total_bytes = 0;
};

// NVIDIA's management library, opened at run time, so that the same binary runs where there is none.
// Functions and structs as in nvml.h (https://docs.nvidia.com/deploy/nvml-api/); those used here have not changed since
// version 2 of the interface.
//
// Threading: one thread at a time. A call takes milliseconds.
class Nvml {
 public:
  // NotFound when the library is not there or has no devices to offer.
  static absl::StatusOr<std::unique_ptr<Nvml>> Open(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  static constexpr unsigned kGpusMax = 64;
  // By device index; at most kGpusMax. Unavailable when a device does not answer.
  absl::StatusOr<std::vector<GpuFigures>> Read();

 private:
  struct Functions;
  Nvml(void* library, std::unique_ptr<Functions> functions);

  void* const library_;
  const std::unique_ptr<Functions> functions_;
};

}  // namespace exporter
