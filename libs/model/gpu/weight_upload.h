#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/primitives/thread_pool.h"
#include "libs/model/decoder_weights.h"
#include "libs/model/gpu/device_memory.h"

namespace model {

// Told now and then while weights are loaded, on the loading thread.
using LoadProgress = std::function<void(std::int64_t bytes_done, std::int64_t bytes_total)>;

// Brings matrices from the mapped file into device memory.
//
// Several threads copy from the mapping into one of two pinned buffers (the page faults and the disk are what is slow),
// while the device copies from the other. A matrix that changes its layout is first laid down on the device as it is in
// the file and then repacked there; all of it in the order of one stream, so that nothing waits on the host.
//
// Ownership: pinned buffers and the device's own staging; freed with this object, which first waits for its stream.
class WeightUpload {
 public:
  // staging_bytes: the largest run of file bytes that one Repack call takes; see Repack.
  static absl::StatusOr<std::unique_ptr<WeightUpload>> Create(int threads, std::int64_t staging_bytes,
                                                              std::int64_t bytes_total, LoadProgress progress);
  ~WeightUpload();
  WeightUpload(const WeightUpload&) = delete;
  WeightUpload& operator=(const WeightUpload&) = delete;

  // device[0 .. bytes) = host[0 .. bytes), as it is.
  absl::Status Copy(void* device, const void* host, std::int64_t bytes) {
    return CopyRuns(device, host, bytes, bytes, bytes);
  }
  // The rows, one behind the other, as they are in the file.
  absl::Status CopyRows(void* device, const WeightMatrix& rows);

  // Lays the rows of `parts` (one file format and number of columns), and zeros up to n rows, one below the other and
  // turns them into `to`. REQUIRES: their bytes fit the staging.
  absl::Status Repack(std::span<const WeightMatrix> parts, std::int32_t n, const kernels::gpu::Matrix& to);

  // Waits until everything has arrived.
  absl::Status Finish();

  kernels::gpu::Stream stream() const { return stream_.get(); }

 private:
  static constexpr std::int64_t kPinnedBytes = std::int64_t{32} << 20;

  struct Pinned {
    PinnedMemory memory;
    DeviceEvent free;  // recorded behind the copy that reads the buffer
    bool used = false;
  };

  WeightUpload(int threads, std::int64_t bytes_total, LoadProgress progress)
      : threads_(threads), bytes_total_(bytes_total), progress_(std::move(progress)) {}

  // `bytes` bytes out of runs of run_bytes that lie `stride` bytes apart.
  absl::Status CopyRuns(void* device, const void* host, std::int64_t bytes, std::int64_t run_bytes,
                        std::int64_t stride);

  kernels::ThreadPool threads_;
  const std::int64_t bytes_total_;
  const LoadProgress progress_;
  std::int64_t bytes_done_ = 0;
  DeviceMemory staging_;
  Pinned pinned_[2];
  int next_ = 0;
  DeviceStream stream_;
};

}  // namespace model
