#pragma once

#include <string>

namespace model {

// What this machine can do at most with so many threads, measured here and now (about two seconds): the yardsticks of
// every figure about the CPU engine.
struct MachineLimits {
  std::string target;       // the instruction set whose kernels run here
  double int8_ops = 0;      // operations a second of the int8 dot product, two a multiplication
  double memory_bytes = 0;  // bytes read a second from memory, over a buffer that no cache holds
};
MachineLimits MeasureMachineLimits(int threads);

}  // namespace model
