#include "libs/model/gpu/weight_upload.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/quant/repack_gpu.h"
#include "libs/base/check.h"

namespace model {

namespace gpu = kernels::gpu;

namespace {

// to[0 .. count) = bytes [begin, begin + count) of runs of run_bytes that lie `stride` bytes apart.
void Gather(char* to, const char* from, std::int64_t begin, std::int64_t count, std::int64_t run_bytes,
            std::int64_t stride) {
  while (count > 0) {
    const std::int64_t in_run = begin % run_bytes, bytes = std::min(count, run_bytes - in_run);
    std::memcpy(to, from + begin / run_bytes * stride + in_run, static_cast<std::size_t>(bytes));
    to += bytes;
    begin += bytes;
    count -= bytes;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightUpload>> WeightUpload::Create(int threads, std::int64_t staging_bytes,
                                                                   std::int64_t bytes_total, LoadProgress progress) {
  std::unique_ptr<WeightUpload> upload(new WeightUpload(threads, bytes_total, std::move(progress)));
  const auto pinned_bytes = static_cast<std::size_t>(std::clamp<std::int64_t>(bytes_total, 1, kPinnedBytes));
  for (Pinned& pinned : upload->pinned_) {
    absl::StatusOr<PinnedMemory> memory = AllocatePinned(pinned_bytes, "loading weights");
    if (!memory.ok()) return memory.status();
    pinned.memory = *std::move(memory);
    absl::StatusOr<DeviceEvent> event = MakeEvent();
    if (!event.ok()) return event.status();
    pinned.free = *std::move(event);
  }
  if (staging_bytes > 0) {
    absl::StatusOr<DeviceMemory> staging = AllocateDevice(static_cast<std::size_t>(staging_bytes), "repacking weights");
    if (!staging.ok()) return staging.status();
    upload->staging_ = *std::move(staging);
  }
  absl::StatusOr<DeviceStream> stream = MakeStream();
  if (!stream.ok()) return stream.status();
  upload->stream_ = *std::move(stream);
  return upload;
}

WeightUpload::~WeightUpload() {
  if (stream_.get() != nullptr) static_cast<void>(gpu::Synchronize(stream_.get()));
}

absl::Status WeightUpload::CopyRows(void* device, const WeightMatrix& rows) {
  const std::int64_t row_bytes = kernels::RowBytes(rows.format, rows.cols);
  const std::int64_t stride = rows.row_stride == 0 ? row_bytes : rows.row_stride;
  if (stride == row_bytes) return Copy(device, rows.data, rows.rows * row_bytes);
  return CopyRuns(device, rows.data, rows.rows * row_bytes, row_bytes, stride);
}

absl::Status WeightUpload::CopyRuns(void* device, const void* host, std::int64_t bytes, std::int64_t run_bytes,
                                    std::int64_t stride) {
  constexpr std::int64_t kSliceBytes = 1 << 20;  // of one reader thread
  for (std::int64_t at = 0; at < bytes;) {
    Pinned& pinned = pinned_[next_];
    next_ = 1 - next_;
    if (pinned.used) RETURN_IF_DEVICE_ERROR(gpu::Synchronize(pinned.free.get()), "loading weights");
    pinned.used = true;
    const std::int64_t count = std::min(std::min(bytes_total_, kPinnedBytes), bytes - at);
    auto* to = static_cast<char*>(pinned.memory.get());
    const char* from = static_cast<const char*>(host);
    threads_.Run((count + kSliceBytes - 1) / kSliceBytes, [&](std::int64_t slice, int) {
      const std::int64_t begin = slice * kSliceBytes;
      Gather(to + begin, from, at + begin, std::min(kSliceBytes, count - begin), run_bytes, stride);
    });
    RETURN_IF_DEVICE_ERROR(
        gpu::CopyToDevice(static_cast<char*>(device) + at, to, static_cast<std::size_t>(count), stream_.get()),
        "loading weights");
    RETURN_IF_DEVICE_ERROR(gpu::Record(pinned.free.get(), stream_.get()), "loading weights");
    at += count;
    bytes_done_ += count;
    if (progress_) progress_(bytes_done_, bytes_total_);
  }
  return absl::OkStatus();
}

absl::Status WeightUpload::Repack(std::span<const WeightMatrix> parts, std::int32_t n, const gpu::Matrix& to) {
  CHECK(!parts.empty() && staging_.get() != nullptr);
  const kernels::WeightFormat format = parts[0].format;
  const std::int64_t row_bytes = kernels::RowBytes(format, parts[0].cols);
  auto* file = static_cast<std::uint8_t*>(staging_.get());
  std::int64_t rows = 0;
  for (const WeightMatrix& part : parts) {
    CHECK(part.format == format && part.cols == to.k);
    absl::Status status = CopyRows(file + rows * row_bytes, part);
    if (!status.ok()) return status;
    rows += part.rows;
  }
  if (n > rows) {
    const auto zeros = static_cast<std::size_t>((n - rows) * row_bytes);
    RETURN_IF_DEVICE_ERROR(gpu::Fill(file + rows * row_bytes, 0, zeros, stream_.get()), "loading weights");
  }
  const gpu::Repack repack{.file = file,
                           .from = format,
                           .n = n,
                           .k = to.k,
                           .to = to.format,
                           .data = const_cast<void*>(to.data),
                           .scales = const_cast<void*>(to.scales)};
  RETURN_IF_DEVICE_ERROR(gpu::RunRepack(repack, stream_.get()), "repacking weights");
  return absl::OkStatus();
}

absl::Status WeightUpload::Finish() {
  RETURN_IF_DEVICE_ERROR(gpu::Synchronize(stream_.get()), "loading weights");
  return absl::OkStatus();
}

}  // namespace model
