#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/sampling/sample_gpu.h"
#include "libs/model/gpu/device_memory.h"

namespace model {

// How much of each array a step has.
struct StepSizes {
  std::int32_t rows = 0, sequences = 0, samples = 0;
};

// What a step's kernels read besides weights and K/V: kvcache::StepBatch and the sampling parameters, as flat arrays.
struct StepArrays {
  StepArrays(MemoryPlan& plan, const StepSizes& sizes);

  kernels::gpu::SampleParams* params;  // [samples]
  std::uint32_t** seen;                // [samples] device pointers, or null: see kernels/sampling/sample_gpu.h
  std::int32_t* logit_rows;            // [samples]
  std::int32_t* token_ids;             // [rows]
  std::int32_t* positions;             // [rows]
  std::int32_t* sequence_of_row;       // [rows]
  std::int32_t* row_begin;             // [sequences + 1]
  std::int32_t* prefill_row_begin;     // [sequences + 1] the same for the sequences with several rows, from 0
  std::int32_t* block_begin;           // [sequences + 1]
  std::uint32_t* block_copies;         // [sequences][2] from and to, for copy on write
  std::uint32_t* block_ids;            // [block_begin[sequences]]; last, so that only those there are get copied
  std::size_t bytes_before_blocks;

  kernels::gpu::StepRows Rows(const StepSizes& sizes) const {
    return {positions, row_begin, block_begin, block_ids, sizes.rows, sizes.sequences};
  }
};

// One of the two places where a step's arrays lie, so that the next step's are written and copied while this one runs.
// The same sizes always give the same addresses: a captured graph depends on it.
struct StepSlot {
  static absl::StatusOr<StepSlot> Create(const StepSizes& sizes_max, std::int64_t blocks_max, std::int64_t seen_bytes,
                                         bool timing);

  StepArrays OnHost(const StepSizes& sizes) const;
  StepArrays OnDevice(const StepSizes& sizes) const;

  PinnedMemory host;          // the arrays
  DeviceMemory device;        // the arrays
  DeviceMemory device_picks;  // [samples_max] int32
  PinnedMemory picks;         // [samples_max] int32; valid once `done`
  PinnedMemory seen;          // [samples_max][words of the vocabulary] bit sets on their way to the device
  DeviceEvent uploaded;
  DeviceEvent started, done;  // of the step; with timing where the model measures
};

}  // namespace model
