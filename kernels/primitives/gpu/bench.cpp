#include "kernels/primitives/gpu/bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "kernels/primitives/gpu/random_fill_gpu.h"

namespace kernels::gpu {
namespace {

// Ends one benchmark; RunBenchmark catches it.
class BenchFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

void MustSucceed(const LaunchResult& result, const char* doing) {
  if (!result.ok()) throw BenchFailure(std::string(doing) + ": " + result.message());
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Two events that stay for the measurement.
class Stopwatch {
 public:
  explicit Stopwatch(Stream stream) : stream_(stream) {
    MustSucceed(CreateEvent(&from_, /*timing=*/true), "event");
    MustSucceed(CreateEvent(&to_, /*timing=*/true), "event");
  }
  ~Stopwatch() {
    DestroyEvent(from_);
    DestroyEvent(to_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  // Seconds on the device between the first and the last thing that `enqueue` put on the stream.
  template <typename Enqueue>
  double Measure(Enqueue enqueue) {
    MustSucceed(Record(from_, stream_), "event");
    MustSucceed(enqueue(), "start");
    MustSucceed(Record(to_, stream_), "event");
    MustSucceed(Synchronize(to_), "run");
    double seconds;
    MustSucceed(ElapsedSeconds(from_, to_, &seconds), "event");
    return seconds;
  }

 private:
  Stream stream_;
  Event from_ = nullptr, to_ = nullptr;
};

double MeasureCopy(Stream stream) {
  constexpr std::size_t kBytes = std::size_t{2} << 30;
  constexpr int kWarmUps = 20, kRepetitions = 15;  // the first ones also bring the card's clocks up
  void *from = nullptr, *to = nullptr;
  MustSucceed(Allocate(&from, kBytes), "memory for the copy");
  const LaunchResult second = Allocate(&to, kBytes);
  std::vector<double> seconds;
  if (second.ok()) {
    Stopwatch stopwatch(stream);
    MustSucceed(Fill(from, 1, kBytes, stream), "fill");
    for (int i = 0; i < kWarmUps + kRepetitions; ++i) {
      const double one = stopwatch.Measure([&] { return CopyOnDevice(to, from, kBytes, stream); });
      if (i >= kWarmUps) seconds.push_back(one);
    }
  }
  Free(from);
  Free(to);
  MustSucceed(second, "memory for the copy");
  return 2.0 * kBytes / Median(seconds);
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') escaped += '\\';
    escaped += letter;
  }
  return escaped;
}

template <typename... Arguments>
std::string Formatted(const char* format, Arguments... arguments) {
  char text[512];
  std::snprintf(text, sizeof(text), format, arguments...);
  return text;
}

// A figure, or a dash where there is none.
std::string Cell(const char* format, double value) {
  return value > 0 && std::isfinite(value) ? Formatted(format, value) : "-";
}

void PrintLine(const char* op, const char* shape, const char* us, const char* gbps, const char* share,
               const char* tflops, const char* peer, const char* ratio) {
  std::printf("%-34s %-36s %10s %8s %6s %8s  %-18s %6s\n", op, shape, us, gbps, share, tflops, peer, ratio);
  std::fflush(stdout);
}

}  // namespace

Bench::Bench(const DeviceInfo& device, Stream stream, bool quick) : device_(device), stream_(stream), quick_(quick) {
  std::printf("card      %s, compute capability %d.%d, %d multiprocessors, up to %d MHz\n", device.name,
              device.capability / 10, device.capability % 10, device.multiprocessors, device.sm_clock_khz / 1000);
  std::printf("memory    %.1f GiB, %.1f GiB free, L2 cache %.0f MiB\n",
              static_cast<double>(device.memory_bytes) / 0x1p30, static_cast<double>(device.memory_free_bytes) / 0x1p30,
              static_cast<double>(device.l2_bytes) / 0x1p20);
  std::printf("driver    CUDA %d.%d, runtime %d.%d\n", device.driver_version / 1000, device.driver_version % 1000 / 10,
              device.runtime_version / 1000, device.runtime_version % 1000 / 10);
  copy_bytes_per_second_ = MeasureCopy(stream);
  std::printf("copy      %.0f GB/s read plus written, 2 GiB device to device\n\n", copy_bytes_per_second_ / 1e9);
  rows_.push_back(Formatted(R"({"card": "%s", "capability": %d, "multiprocessors": %d, "sm_clock_max_mhz": %d, )"
                            R"("memory_bytes": %lld, "driver": %d, "runtime": %d, "copy_bytes_per_second": %.6g})",
                            Escaped(device.name).c_str(), device.capability, device.multiprocessors,
                            device.sm_clock_khz / 1000, static_cast<long long>(device.memory_bytes),
                            device.driver_version, device.runtime_version, copy_bytes_per_second_));
  PrintLine("op", "shape", "us", "GB/s", "% copy", "TFLOP/s", "peer", "ratio");
}

Bench::~Bench() { FreeAll(); }

void* Bench::Reserve(std::int64_t bytes) {
  void* memory = nullptr;
  MustSucceed(Allocate(&memory, static_cast<std::size_t>(bytes)), "memory");
  memory_.push_back(memory);
  return memory;
}

void* Bench::RandomBf16(std::int64_t count, float scale) {
  void* memory = Reserve(count * 2);
  MustSucceed(FillRandomBf16(static_cast<Bf16*>(memory), count, scale, memory_.size(), stream_), "random BF16");
  return memory;
}
void* Bench::RandomFloats(std::int64_t count, float scale) {
  void* memory = Reserve(count * 4);
  MustSucceed(FillRandomFloats(static_cast<float*>(memory), count, scale, memory_.size(), stream_), "random floats");
  return memory;
}
void* Bench::RandomBytes(std::int64_t bytes) {
  void* memory = Reserve(bytes);
  MustSucceed(FillRandomBytes(memory, bytes, memory_.size(), stream_), "random bytes");
  return memory;
}
void* Bench::Zeros(std::int64_t bytes) {
  void* memory = Reserve(bytes);
  MustSucceed(Fill(memory, 0, static_cast<std::size_t>(bytes), stream_), "zeros");
  return memory;
}
void Bench::FreeAll() {
  static_cast<void>(Synchronize(stream_));
  for (void* memory : memory_) Free(memory);
  memory_.clear();
}

double Bench::Time(const std::function<LaunchResult(int i)>& body, int calls) {
  const auto all_calls = [&] {
    for (int i = 0; i < calls; ++i) GPU_RETURN_IF_ERROR(body(i));
    return LaunchResult::Ok();
  };
  // Once without a graph: loads the kernels, and shows a fault before anything depends on it.
  MustSucceed(all_calls(), "launch");
  MustSucceed(Synchronize(stream_), "run");

  MustSucceed(BeginCapture(stream_), "capture");
  const LaunchResult captured = all_calls();
  Graph graph = nullptr;
  const LaunchResult ended = EndCapture(stream_, &graph);
  std::vector<double> seconds;
  try {
    MustSucceed(captured, "launch into a graph");
    MustSucceed(ended, "capture");
    Stopwatch stopwatch(stream_);
    // The first replay uploads the graph. Long ones are steady after a few; short ones need many for a steady median.
    const std::size_t replays_min = quick_ ? 3 : 7, replays_max = quick_ ? 20 : 200;
    const double wanted = quick_ ? 0.01 : 0.05;
    stopwatch.Measure([&] { return StartGraph(graph, stream_); });
    for (double sum = 0; seconds.size() < replays_min || (sum < wanted && seconds.size() < replays_max);) {
      seconds.push_back(stopwatch.Measure([&] { return StartGraph(graph, stream_); }));
      sum += seconds.back();
    }
  } catch (...) {
    DestroyGraph(graph);
    throw;
  }
  DestroyGraph(graph);
  return Median(seconds) / calls;
}

void Bench::Row(std::string_view op, std::string_view shape, double seconds, double bytes, double flops,
                std::string_view peer, double peer_seconds) {
  const std::string op_text(op), shape_text(shape), peer_text(peer);
  const bool has_peer = peer_seconds > 0 && seconds > 0;
  PrintLine(op_text.c_str(), shape_text.c_str(), Cell("%.2f", seconds * 1e6).c_str(),
            Cell("%.0f", bytes / seconds / 1e9).c_str(),
            Cell("%.1f", 100 * bytes / seconds / copy_bytes_per_second_).c_str(),
            Cell("%.1f", flops / seconds / 1e12).c_str(), has_peer ? peer_text.c_str() : "-",
            has_peer ? Formatted("%.2f", peer_seconds / seconds).c_str() : "-");
  rows_.push_back(Formatted(
      R"({"op": "%s", "shape": "%s", "seconds": %.6g, "bytes": %.6g, "flops": %.6g, "peer": "%s", )"
      R"("peer_seconds": %.6g})",
      Escaped(op).c_str(), Escaped(shape).c_str(), seconds, bytes, flops, Escaped(peer).c_str(), peer_seconds));
}

std::string Bench::Json() const {
  std::string lines;
  for (const std::string& row : rows_) lines += row + "\n";
  return lines;
}

bool Bench::Run(std::string_view name, const std::function<void(Bench&)>& benchmark) {
  try {
    benchmark(*this);
    MustSucceed(Synchronize(stream_), "run");
    FreeAll();
    return true;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "gpu_bench: %s failed: %s\n", std::string(name).c_str(), failure.what());
    FreeAll();
    return false;
  }
}

}  // namespace kernels::gpu
