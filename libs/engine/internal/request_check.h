#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "libs/engine/engine.h"

namespace engine {

// Checks every field of a request before anything is allocated for it. InvalidArgument names the field, its value and
// the bounds. The length of the prompt in tokens is checked later, when it is known.
absl::Status CheckRequest(const GenerationRequest& request, std::int32_t vocabulary_size,
                          std::int32_t context_tokens_max);

}  // namespace engine
