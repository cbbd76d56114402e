#pragma once

#include "libs/bus/producer.h"

namespace bus::internal {

// Makes librdkafka report a fatal error, as it does when an idempotent producer loses its sequence.
// REQUIRES: `producer` comes from Producer::Create
void TriggerFatalErrorForTest(Producer& producer);

}  // namespace bus::internal
