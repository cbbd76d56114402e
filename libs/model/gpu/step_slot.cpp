#include "libs/model/gpu/step_slot.h"

#include <utility>

namespace model {

StepArrays::StepArrays(MemoryPlan& plan, const StepSizes& sizes) {
  const auto rows = static_cast<std::size_t>(sizes.rows), samples = static_cast<std::size_t>(sizes.samples);
  const std::size_t bounds = static_cast<std::size_t>(sizes.sequences) + 1;
  params = plan.Take<kernels::gpu::SampleParams>(samples);
  seen = plan.Take<std::uint32_t*>(samples);
  logit_rows = plan.Take<std::int32_t>(samples);
  token_ids = plan.Take<std::int32_t>(rows);
  positions = plan.Take<std::int32_t>(rows);
  sequence_of_row = plan.Take<std::int32_t>(rows);
  row_begin = plan.Take<std::int32_t>(bounds);
  prefill_row_begin = plan.Take<std::int32_t>(bounds);
  block_begin = plan.Take<std::int32_t>(bounds);
  block_copies = plan.Take<std::uint32_t>(2 * (bounds - 1));
  bytes_before_blocks = plan.bytes();
  block_ids = plan.Take<std::uint32_t>(0);
}

absl::StatusOr<StepSlot> StepSlot::Create(const StepSizes& sizes_max, std::int64_t blocks_max, std::int64_t seen_bytes,
                                          bool timing) {
  MemoryPlan plan;
  const StepArrays arrays(plan, sizes_max);
  const std::size_t bytes = arrays.bytes_before_blocks + static_cast<std::size_t>(blocks_max) * sizeof(std::uint32_t);
  const std::size_t picks_bytes = static_cast<std::size_t>(sizes_max.samples) * sizeof(std::int32_t);
  constexpr const char* kUse = "a step's arrays";
  StepSlot slot;
  absl::Status status;
  const auto keep = [&status](auto made, auto& place) {
    if (status.ok() && made.ok()) place = *std::move(made);
    if (status.ok()) status = made.status();
  };
  keep(AllocatePinned(bytes, kUse), slot.host);
  keep(AllocateDevice(bytes, kUse), slot.device);
  keep(AllocateDevice(picks_bytes, kUse), slot.device_picks);
  keep(AllocatePinned(picks_bytes, kUse), slot.picks);
  keep(AllocatePinned(static_cast<std::size_t>(seen_bytes), kUse), slot.seen);
  keep(MakeEvent(), slot.uploaded);
  keep(MakeEvent(timing), slot.started);
  keep(MakeEvent(timing), slot.done);
  if (!status.ok()) return status;
  return slot;
}

StepArrays StepSlot::OnHost(const StepSizes& sizes) const {
  MemoryPlan plan(host.get());
  return {plan, sizes};
}

StepArrays StepSlot::OnDevice(const StepSizes& sizes) const {
  MemoryPlan plan(device.get());
  return {plan, sizes};
}

}  // namespace model
