#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "libs/bus/options.h"

namespace loadtest {

struct ProduceAlone {
  double seconds = 0;
  std::int64_t records = 0;      // persisted
  std::size_t record_bytes = 0;  // key, value and headers of one
};

// What the producer alone writes to the turns topic in so many seconds, with the gateway's settings and a record that
// the gateway wrote there: as many in flight as its queue takes. For a broker of its own only: nobody should read this.
// NotFound: the topic holds no record yet.
absl::StatusOr<ProduceAlone> MeasureProduceAlone(const bus::BusOptions& bus, std::int32_t linger_ms, double seconds);

}  // namespace loadtest
