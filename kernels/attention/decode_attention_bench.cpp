#include "kernels/attention/decode_attention_gpu.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {
namespace {

struct Case {
  int sequences, context, heads, kv_heads, head_dim;
  KvFormat format;
  bool ragged = false;  // contexts fall evenly from `context` to almost nothing
  int grid_for = 0;     // context_max; 0: `context`
};

std::string ToString(const Case& c) {
  return std::to_string(c.sequences) + (c.ragged ? " up to " : " x ") + std::to_string(c.context) + ", " +
         std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " heads of " + std::to_string(c.head_dim) +
         (c.format == KvFormat::kFp8 ? ", FP8" : ", BF16") + (c.grid_for != 0 ? ", wide grid" : "");
}

template <typename T>
const T* Upload(Bench& bench, const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  void* device = bench.Zeros(static_cast<std::int64_t>(bytes));
  if (!CopyToDevice(device, values.data(), bytes, bench.stream()).ok() || !Synchronize(bench.stream()).ok()) {
    throw std::runtime_error("copy to the device");
  }
  return static_cast<const T*>(device);
}

// One step's arrays, repeated until they are several times the L2 cache, as the layers of a model are.
class DecodeBench {
 public:
  DecodeBench(Bench& bench, const Case& c) : bench_(bench), case_(c) {
    constexpr int kBlockSize = 16;
    std::vector<std::int32_t> positions, block_begin{0};
    for (int s = 0; s < c.sequences; ++s) {
      const int context = c.ragged ? std::max(1, c.context * (s + 1) / c.sequences) : c.context;
      positions.push_back(context - 1);
      block_begin.push_back(block_begin.back() + (context + kBlockSize - 1) / kBlockSize);
      tokens_ += context;
    }
    std::vector<std::uint32_t> block_ids(static_cast<std::size_t>(block_begin.back()));
    std::iota(block_ids.begin(), block_ids.end(), 0U);
    std::shuffle(block_ids.begin(), block_ids.end(), std::mt19937(7));

    const std::int64_t plane_values = std::int64_t{block_begin.back()} * kBlockSize * c.kv_heads * c.head_dim;
    const std::int64_t step_bytes = 2 * plane_values * KvBytes(c.format);
    const std::int64_t l2_bytes = std::max<std::int64_t>(bench.device().l2_bytes, 32 << 20);
    layers_ = static_cast<int>(std::clamp<std::int64_t>(4 * l2_bytes / step_bytes + 1, 2, 32));
    attention_.q_stride = c.heads * c.head_dim;
    attention_.q = static_cast<const Bf16*>(bench.RandomBf16(std::int64_t{c.sequences} * attention_.q_stride));
    attention_.kv = {nullptr, nullptr, c.format, block_begin.back(), c.kv_heads, kBlockSize, c.head_dim, 0.05F, 0.05F};
    for (int layer = 0; layer < layers_; ++layer) {
      keys_.push_back(RandomPlane(plane_values));
      values_.push_back(RandomPlane(plane_values));
    }
    attention_.positions = Upload(bench, positions);
    attention_.block_begin = Upload(bench, block_begin);
    attention_.block_ids = Upload(bench, block_ids);
    attention_.sequences = c.sequences, attention_.heads = c.heads,
    attention_.context_max = std::max(c.context, c.grid_for);
    attention_.scale = 0.09F;
    attention_.workspace = bench.Zeros(DecodeAttentionWorkspaceBytes(c.sequences, c.heads, c.head_dim));
    attention_.y = static_cast<Bf16*>(bench.Zeros(std::int64_t{2} * c.sequences * c.heads * c.head_dim));
  }
  ~DecodeBench() { bench_.FreeAll(); }
  DecodeBench(const DecodeBench&) = delete;
  DecodeBench& operator=(const DecodeBench&) = delete;

  void Time(const std::string& name, const DecodeAttentionTuning& tuning = {}) {
    const double seconds = bench_.Time(
        [&](int i) {
          DecodeAttention attention = attention_;
          attention.tuning = tuning;
          attention.kv.k = keys_[static_cast<std::size_t>(i % layers_)];
          attention.kv.v = values_[static_cast<std::size_t>(i % layers_)];
          return RunDecodeAttention(attention, bench_.stream());
        },
        bench_.quick() ? 10 : 20);
    const double kv_bytes = 2.0 * static_cast<double>(tokens_) * case_.kv_heads * case_.head_dim *
                            static_cast<double>(KvBytes(case_.format));
    const double q_and_y_bytes = 2.0 * 2 * case_.sequences * case_.heads * case_.head_dim;
    const double flops = 4.0 * static_cast<double>(tokens_) * case_.heads * case_.head_dim;
    bench_.Row(name, ToString(case_), seconds, kv_bytes + q_and_y_bytes, flops);
  }

 private:
  void* RandomPlane(std::int64_t values) {
    if (case_.format == KvFormat::kBf16) return bench_.RandomBf16(values);
    return bench_.RandomBytes(values);  // some are NaN, which costs as much as a number
  }

  Bench& bench_;
  Case case_;
  DecodeAttention attention_{};
  int layers_ = 1;
  std::int64_t tokens_ = 0;
  std::vector<void*> keys_, values_;
};

// What the launcher chooses from, each changed alone.
void TryTunings(DecodeBench& decode, const Case& c) {
  decode.Time("decode_attention l2=0", {.l2_bytes = 0});
  decode.Time("decode_attention l2=256", {.l2_bytes = 256});
  decode.Time("decode_attention pieces=1024 l2=0", {.piece_tokens = 1024, .l2_bytes = 0});
  decode.Time("decode_attention pieces=1024 l2=256", {.piece_tokens = 1024, .l2_bytes = 256});
  decode.Time("decode_attention pieces=1024", {.piece_tokens = 1024});
  decode.Time("decode_attention stages=2 tail=0", {.stages = 2, .piece_tokens = 0, .blocks = 0, .tail_percent = 0});
  decode.Time("decode_attention stages=2 tail=25", {.stages = 2, .piece_tokens = 0, .blocks = 0, .tail_percent = 25});
  decode.Time("decode_attention stages=2 tail=50", {.stages = 2, .piece_tokens = 0, .blocks = 0, .tail_percent = 50});
  const std::int32_t blocks = c.sequences * c.kv_heads * 8;
  decode.Time("decode_attention 8 blocks a head",
              {.stages = 2, .piece_tokens = 0, .blocks = blocks, .tail_percent = 0});
  decode.Time("decode_attention stages=3", {.stages = 3, .piece_tokens = 0, .blocks = 0, .tail_percent = -1});
  decode.Time("decode_attention stages=4", {.stages = 4, .piece_tokens = 0, .blocks = 0, .tail_percent = -1});
  decode.Time("decode_attention pieces=128", {.stages = 0, .piece_tokens = 128, .blocks = 0, .tail_percent = -1});
  decode.Time("decode_attention pieces=512", {.stages = 0, .piece_tokens = 512, .blocks = 0, .tail_percent = -1});
}

// Where pieces are few, their length decides how many multiprocessors work.
void TryPieces(DecodeBench& decode) {
  for (int tokens : {128, 256, 512, 1024}) {
    for (int stages : {2, 3, 4, 6}) {
      decode.Time("decode_attention pieces=" + std::to_string(tokens) + " stages=" + std::to_string(stages),
                  {.stages = stages, .piece_tokens = tokens});
    }
  }
}

}  // namespace

void BenchDecodeAttention(Bench& bench) {
  constexpr KvFormat kBf16 = KvFormat::kBf16, kFp8 = KvFormat::kFp8;
  // Of a model with 8 billion parameters, and of one with 135 million.
  const Case cases[] = {
      {64, 4096, 32, 8, 128, kBf16},
      {64, 2048, 32, 8, 128, kBf16},
      {16, 4096, 32, 8, 128, kBf16},
      {1, 4096, 32, 8, 128, kBf16},
      {16, 32768, 32, 8, 128, kBf16},
      {1, 32768, 32, 8, 128, kBf16},
      {64, 4096, 32, 8, 128, kFp8},
      {16, 4096, 32, 8, 128, kFp8},
      {64, 4096, 9, 3, 64, kBf16},
      {64, 2048, 9, 3, 64, kFp8},
      {64, 8192, 32, 8, 128, kBf16, true},
      {16, 500, 32, 8, 128, kBf16},
      {16, 500, 32, 8, 128, kBf16, false, 32768},
  };
  for (const Case& c : cases) {
    DecodeBench decode(bench, c);
    decode.Time("decode_attention");
    const bool tune = &c == &cases[0] || (!bench.quick() && (c.context == 2048 || c.format == kFp8));
    if (tune) TryTunings(decode, c);
    if (c.sequences < 64 && c.context == 4096) TryPieces(decode);
  }
}

}  // namespace kernels::gpu
