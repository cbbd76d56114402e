#pragma once

namespace kernels {

// What numbers up to `largest` are multiplied with before they are rounded to 8 bits. Numbers so small that it would
// be infinite all round to 0: 0 * infinity would be no number. Static, because each instruction set has its own.
static inline float RoundingFactor(float largest) { return largest > 1e-36F ? 127.0F / largest : 0.0F; }

// The scale of numbers up to `largest`: x = scale * q. NaN if it is NaN or infinite.
static inline float RoundingScale(float largest) { return largest / 127.0F + (largest - largest); }

}  // namespace kernels
