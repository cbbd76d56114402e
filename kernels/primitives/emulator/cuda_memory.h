#pragma once

#include "kernels/primitives/emulator/emulator.h"

// CUDA's loads and stores with a cache hint, and its atomic operations, for the emulator; included by cuda_language.h.

// Loads and stores with a hint ----------------------------------------------------------------------------------------
#define EMULATOR_LOAD(name)                                        \
  template <typename T>                                            \
  T name(const T* from) {                                          \
    kernels::gpu::emulator::CheckAligned(from, alignof(T), #name); \
    return *from;                                                  \
  }
#define EMULATOR_STORE(name)                                     \
  template <typename T>                                          \
  void name(T* to, std::type_identity_t<T> value) {              \
    kernels::gpu::emulator::CheckAligned(to, alignof(T), #name); \
    *to = value;                                                 \
  }
EMULATOR_LOAD(__ldg)
EMULATOR_LOAD(__ldca)
EMULATOR_LOAD(__ldcg)
EMULATOR_LOAD(__ldcs)
EMULATOR_LOAD(__ldlu)
EMULATOR_LOAD(__ldcv)
EMULATOR_STORE(__stwb)
EMULATOR_STORE(__stcg)
EMULATOR_STORE(__stcs)
EMULATOR_STORE(__stwt)
#undef EMULATOR_LOAD
#undef EMULATOR_STORE

// Atomic operations. Real ones, because two threads of the process may each run a kernel on the same memory. ----------
namespace kernels::gpu::emulator {

// *address = change(*address); returns what was there.
template <typename T, typename Change>
T AtomicChange(T* address, Change change) {
  CheckAligned(address, sizeof(T), "an atomic operation");
  T seen;
  __atomic_load(address, &seen, __ATOMIC_RELAXED);
  T wanted = change(seen);
  while (!__atomic_compare_exchange(address, &seen, &wanted, /*weak=*/false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    wanted = change(seen);
  }
  return seen;
}

}  // namespace kernels::gpu::emulator

#define EMULATOR_ATOMIC(name, type, expression)                                                             \
  inline type name(type* address, type value) {                                                             \
    return kernels::gpu::emulator::AtomicChange(address, [value](type old) -> type { return expression; }); \
  }
// Wraps around, as the card's integers do.
#define EMULATOR_ATOMIC_INTEGER(type)                                                                   \
  EMULATOR_ATOMIC(atomicMax, type, old < value ? value : old)                                           \
  EMULATOR_ATOMIC(atomicMin, type, value < old ? value : old)                                           \
  EMULATOR_ATOMIC(atomicExch, type, (static_cast<void>(old), value))                                    \
  EMULATOR_ATOMIC(atomicOr, type, old | value)                                                          \
  EMULATOR_ATOMIC(atomicAnd, type, old& value)                                                          \
  EMULATOR_ATOMIC(atomicXor, type, old ^ value)                                                         \
  inline type atomicCAS(type* address, type compare, type value) {                                      \
    const type old = kernels::gpu::emulator::AtomicChange(                                              \
        address, [=](type seen) -> type { return seen == compare ? value : seen; });                    \
    if (old != compare) kernels::gpu::emulator::Yield(); /* perhaps a lock that another thread holds */ \
    return old;                                                                                         \
  }
EMULATOR_ATOMIC_INTEGER(int)
EMULATOR_ATOMIC_INTEGER(unsigned)
EMULATOR_ATOMIC_INTEGER(unsigned long long)
EMULATOR_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
EMULATOR_ATOMIC(atomicAdd, unsigned, old + value)
EMULATOR_ATOMIC(atomicAdd, unsigned long long, old + value)
EMULATOR_ATOMIC(atomicAdd, float, old + value)
EMULATOR_ATOMIC(atomicAdd, double, old + value)
EMULATOR_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
EMULATOR_ATOMIC(atomicSub, unsigned, old - value)
EMULATOR_ATOMIC(atomicMax, long long, old < value ? value : old)
EMULATOR_ATOMIC(atomicMin, long long, value < old ? value : old)
EMULATOR_ATOMIC(atomicExch, float, (static_cast<void>(old), value))
EMULATOR_ATOMIC(atomicInc, unsigned, old >= value ? 0U : old + 1U)
EMULATOR_ATOMIC(atomicDec, unsigned, old == 0U || old > value ? value : old - 1U)
#undef EMULATOR_ATOMIC_INTEGER
#undef EMULATOR_ATOMIC
