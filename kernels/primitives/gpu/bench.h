#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/primitives/gpu/runtime.h"

namespace kernels::gpu {

// What the device benchmarks share (build/bin/gpu_bench): the card's own limits measured first, timing that neither the
// launch nor the L2 cache flatters, and one table. Every figure is stated beside its limit.
class Bench {
 public:
  // Prints the card and measures its copy. Like the other functions it throws when the device fails; Run catches.
  explicit Bench(const DeviceInfo& device, Stream stream, bool quick);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Runs one benchmark and frees what it used; false, with a line on stderr, when it failed.
  bool Run(std::string_view name, const std::function<void(Bench&)>& benchmark);

  // Bytes read plus bytes written a second by a device-to-device copy of 2 GiB, measured once.
  double copy_bytes_per_second() const { return copy_bytes_per_second_; }
  const DeviceInfo& device() const { return device_; }
  Stream stream() const { return stream_; }
  bool quick() const { return quick_; }  // fewer repetitions and sizes

  // Device memory filled with random BF16 numbers of about normal(0, scale), or random bytes; freed with the Bench.
  void* RandomBf16(std::int64_t count, float scale = 1.0F);
  void* RandomFloats(std::int64_t count, float scale = 1.0F);
  void* RandomBytes(std::int64_t bytes);
  void* Zeros(std::int64_t bytes);
  void FreeAll();  // between benchmarks

  // Median seconds of one call. `body(i)` enqueues call i on stream(); it should rotate among `buffer sets` whose sum
  // is several times the L2 cache: i runs through 0 .. calls - 1 within one captured graph, which is replayed.
  double Time(const std::function<LaunchResult(int i)>& body, int calls = 20);

  // One row of the table, printed at once: `bytes` that had to be moved and `flops` that had to be done at least; 0
  // where it says nothing. `peer_seconds` > 0: a library's time for the same work.
  void Row(std::string_view op, std::string_view shape, double seconds, double bytes, double flops,
           std::string_view peer = "", double peer_seconds = 0);

  // The card and all rows so far, as JSON lines.
  std::string Json() const;

 private:
  void* Reserve(std::int64_t bytes);

  DeviceInfo device_;
  Stream stream_;
  bool quick_;
  double copy_bytes_per_second_ = 0;
  std::vector<void*> memory_;
  std::vector<std::string> rows_;
};

// Benchmarks by name, each in its op's folder.
void BenchRmsNorm(Bench& bench);
void BenchRopeStore(Bench& bench);
void BenchSiluGate(Bench& bench);
void BenchQuantizeRows(Bench& bench);
void BenchBlockCopy(Bench& bench);
void BenchSample(Bench& bench);
void BenchDecodeAttention(Bench& bench);
void BenchPrefillAttention(Bench& bench);
void BenchGemm(Bench& bench);
void BenchQuantGemm(Bench& bench);

}  // namespace kernels::gpu
