#pragma once

#include <functional>
#include <memory>

#include "libs/bus/record.h"
#include "libs/records/refusal.h"
#include "services/sender/effects.h"
#include "services/sender/metrics.h"

namespace sender {

// A record that no sender takes, on its way to the dead letter.
struct RefusedRecord {
  std::shared_ptr<const bus::Record> record;
  records::Refusal refusal;
  std::function<bool()> is_wanted;  // false: nobody waits for it any more, a failed write is not repeated
  std::function<void()> then;       // it stands there; keeps its caller alive
};

// Writes it, whole, again and again until it stands there; counts it. Crashes where it is larger than the broker takes,
// as there is no other place for it.
// Threading: on the sender's loop. REQUIRES: `effects` and `metrics` live until then.
void WriteRefused(Effects* effects, const Metrics* metrics, RefusedRecord refused, int attempt = 1);

}  // namespace sender
