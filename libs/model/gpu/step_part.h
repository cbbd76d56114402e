#pragma once

namespace model {

// The kinds of launches of a step, in order, for the benchmark that times them one by one.
enum class StepPart { kEmbed, kNorm, kQkv, kRope, kAttention, kOutput, kGateUp, kSiluGate, kDown, kLogits, kSample };

}  // namespace model
