#include "services/worker/device_loss.h"

#include <unistd.h>

#include "libs/telemetry/log.h"

namespace worker {

void EndWithoutDevice(const absl::Status& status) {
  telemetry::LogError("device_lost", {{"error", status.ToString()}, {"exit_code", kExitDeviceLost}});
  telemetry::FlushLogs();
  _exit(kExitDeviceLost);
}

}  // namespace worker
