#pragma once

#include <cstdint>

// CUDA's small vector types for the emulator, with CUDA's sizes and alignments, in the global namespace as there.

#define EMULATOR_VECTOR2(name, type, alignment) \
  struct alignas(alignment) name##2 {           \
    type x, y;                                  \
  };                                            \
  constexpr name##2 make_##name##2(type x, type y) { return {x, y}; }
#define EMULATOR_VECTOR3(name, type) \
  struct name##3 {                   \
    type x, y, z;                    \
  };                                 \
  constexpr name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }
#define EMULATOR_VECTOR4(name, type, alignment) \
  struct alignas(alignment) name##4 {           \
    type x, y, z, w;                            \
  };                                            \
  constexpr name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define EMULATOR_VECTORS(name, type, alignment2, alignment4) \
  EMULATOR_VECTOR2(name, type, alignment2)                   \
  EMULATOR_VECTOR3(name, type)                               \
  EMULATOR_VECTOR4(name, type, alignment4)

EMULATOR_VECTORS(char, signed char, 2, 4)
EMULATOR_VECTORS(uchar, unsigned char, 2, 4)
EMULATOR_VECTORS(short, short, 4, 8)
EMULATOR_VECTORS(ushort, unsigned short, 4, 8)
EMULATOR_VECTORS(int, int, 8, 16)
EMULATOR_VECTORS(uint, unsigned, 8, 16)
EMULATOR_VECTORS(float, float, 8, 16)
EMULATOR_VECTOR2(longlong, long long, 16)
EMULATOR_VECTOR2(ulonglong, unsigned long long, 16)
EMULATOR_VECTOR2(double, double, 16)

#undef EMULATOR_VECTORS
#undef EMULATOR_VECTOR4
#undef EMULATOR_VECTOR3
#undef EMULATOR_VECTOR2

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 value) : x(value.x), y(value.y), z(value.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
