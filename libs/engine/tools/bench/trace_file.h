#pragma once

#include <string>

#include "absl/status/status.h"
#include "libs/model/decoder_model.h"

namespace engine::bench {

// Writes the events in Chrome's trace format (JSON), which chrome://tracing and ui.perfetto.dev show: a line for each
// thread, times from the first event on. PermissionDenied, NotFound: the path.
absl::Status WriteTraceFile(const model::LaunchTrace& trace, const std::string& path);

}  // namespace engine::bench
