#pragma once

#include <cstdint>

namespace kernels::gpu::emulator {

// Twins of kernels/primitives/gpu/mbarrier.h and wgmma.h.

void MbarrierInit(std::uint64_t* state, unsigned count);
void MbarrierArrive(std::uint64_t* state);
// Lets the other threads run before it says no.
bool MbarrierTryWait(std::uint64_t* state, unsigned parity);

// Under schedule seed 0 a product happens in the wait that its thread can't do without, as late as on a card: registers
// and shared memory are read then, so whoever touches them too early computes something else. Under seed 1 it happens
// at once; under others one or the other. That all four warps of the warpgroup come is not checked.
//   d : [tiles][4] of this thread;  a : [4] of this thread, or nullptr: A lies where a_matrix says
void WgmmaBf16(float* d, int tiles, const std::uint32_t* a, std::uint64_t a_matrix, std::uint64_t b_matrix,
               bool b_transposed, bool add);
void WgmmaCommit();
void WgmmaWait(int unfinished);

}  // namespace kernels::gpu::emulator
