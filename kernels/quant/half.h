#pragma once

#include <cstdint>

namespace kernels {

// IEEE 754 binary16 as bits, in plain arithmetic; the vector versions use the machine's conversions.
float HalfToFloat(std::uint16_t bits);
std::uint16_t FloatToHalf(float value);  // rounds to nearest, ties to even; overflow gives infinity, NaN stays NaN

}  // namespace kernels
