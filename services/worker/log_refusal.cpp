#include "services/worker/log_refusal.h"

#include <unistd.h>

#include "libs/telemetry/log.h"

namespace worker {

void EndRefusedByLog(std::string_view topic, const absl::Status& status) {
  telemetry::LogError("log_refused", {{"topic", topic},
                                      {"error", status.ToString()},
                                      {"hint", "check the worker's rights and the topic's max.message.bytes"},
                                      {"exit_code", kExitLogRefused}});
  telemetry::FlushLogs();
  _exit(kExitLogRefused);
}

}  // namespace worker
