#include "libs/model/gpu/gpu_weights.h"

#include <algorithm>
#include <utility>

#include "kernels/primitives/gpu/random_fill_gpu.h"
#include "kernels/quant/repack_gpu.h"
#include "libs/model/gpu/pair_order.h"
#include "libs/model/gpu/shard.h"

namespace model {

namespace gpu = kernels::gpu;
using gpu::MatrixFormat;
using kernels::WeightFormat;

namespace {

// Products take n in multiples of this; the output matrix is padded to it.
constexpr std::int32_t kRowsMultiple = 8;
bool RowMajor(MatrixFormat format) { return format == MatrixFormat::kBf16 || format == MatrixFormat::kFp8; }

// In the file as on the device: no staging.
bool SameBytes(WeightFormat file, MatrixFormat to) { return file == WeightFormat::kBF16 && to == MatrixFormat::kBf16; }

std::int32_t PaddedRows(std::int64_t rows) {
  return static_cast<std::int32_t>((rows + kRowsMultiple - 1) / kRowsMultiple * kRowsMultiple);
}

std::int64_t FileBytes(const WeightMatrix& matrix) {
  return matrix.rows * kernels::RowBytes(matrix.format, matrix.cols);
}

// Rows [begin, begin + count) of a row-major matrix.
gpu::Matrix RowsOf(const gpu::Matrix& matrix, std::int64_t begin, std::int32_t count) {
  const std::int64_t value_bytes = matrix.format == MatrixFormat::kBf16 ? 2 : 1;
  gpu::Matrix rows = matrix;
  rows.data = static_cast<const char*>(matrix.data) + begin * matrix.k * value_bytes;
  if (matrix.scales != nullptr) rows.scales = static_cast<const float*>(matrix.scales) + begin;
  rows.n = count;
  return rows;
}

// Takes device memory for matrices and vectors and counts it.
class Allocator {
 public:
  explicit Allocator(GpuWeights& weights) : weights_(weights) {}

  absl::StatusOr<void*> Bytes(std::int64_t bytes) {
    absl::StatusOr<DeviceMemory> memory = AllocateDevice(static_cast<std::size_t>(bytes), "weights");
    if (!memory.ok()) return memory.status();
    weights_.memory.push_back(*std::move(memory));
    return weights_.memory.back().get();
  }

  absl::StatusOr<gpu::Matrix> Matrix(MatrixFormat format, std::int32_t n, std::int32_t k) {
    const gpu::RepackedBytes bytes = gpu::BytesOfMatrix(format, n, k);
    gpu::Matrix matrix{.data = nullptr, .scales = nullptr, .format = format, .n = n, .k = k};
    absl::StatusOr<void*> data = Bytes(bytes.data);
    if (!data.ok()) return data.status();
    matrix.data = *data;
    if (bytes.scales > 0) {
      absl::StatusOr<void*> scales = Bytes(bytes.scales);
      if (!scales.ok()) return scales.status();
      matrix.scales = *scales;
    }
    weights_.matrix_bytes += bytes.data + bytes.scales;
    return matrix;
  }

 private:
  GpuWeights& weights_;
};

// Fills a device model from a file.
class FileLoader {
 public:
  FileLoader(GpuWeights& out, GpuWeightsFormat wanted, WeightUpload& upload, std::int64_t run_bytes)
      : allocator_(out), wanted_(wanted), upload_(upload), run_bytes_(run_bytes) {}

  // Keeps the first error; the pointer is null after one, and for a vector that the architecture does not have.
  const float* Vector(const std::vector<float>& values) {
    if (values.empty()) return nullptr;
    const auto bytes = static_cast<std::int64_t>(values.size() * sizeof(float));
    void* memory = Raw(values.data(), bytes);
    return static_cast<const float*>(memory);
  }

  void* Raw(const void* host, std::int64_t bytes) {
    if (!status_.ok()) return nullptr;
    const absl::StatusOr<void*> memory = allocator_.Bytes(bytes);
    if (!memory.ok()) {
      status_ = memory.status();
      return nullptr;
    }
    status_ = upload_.Copy(*memory, host, bytes);
    return *memory;
  }

  gpu::Matrix Single(const WeightMatrix& matrix, GpuWeightsFormat wanted) {
    return Joined({&matrix, 1}, MatrixFormatFor(matrix.format, wanted)).parts[0];
  }
  gpu::Matrix Single(const WeightMatrix& matrix) { return Single(matrix, wanted_); }

  JoinedMatrix Join(std::span<const WeightMatrix> matrices) {
    const MatrixFormat first = MatrixFormatFor(matrices[0].format, wanted_);
    const bool agree = std::all_of(matrices.begin(), matrices.end(), [&](const WeightMatrix& matrix) {
      return MatrixFormatFor(matrix.format, wanted_) == first;
    });
    if (agree) return Joined(matrices, first);
    JoinedMatrix joined;
    for (const WeightMatrix& matrix : matrices) joined.parts[static_cast<std::size_t>(joined.count++)] = Single(matrix);
    return joined;
  }

  const absl::Status& status() const { return status_; }

 private:
  JoinedMatrix Joined(std::span<const WeightMatrix> matrices, MatrixFormat format) {
    JoinedMatrix joined;
    joined.count = 1;
    if (!status_.ok()) return joined;
    std::int64_t rows = 0;
    for (const WeightMatrix& matrix : matrices) rows += matrix.rows;
    const std::int32_t n = PaddedRows(rows);
    const absl::StatusOr<gpu::Matrix> matrix =
        allocator_.Matrix(format, n, static_cast<std::int32_t>(matrices[0].cols));
    if (!matrix.ok()) {
      status_ = matrix.status();
      return joined;
    }
    joined.parts[0] = *matrix;
    status_ = RowMajor(format) ? FillRows(matrices, *matrix) : upload_.Repack(matrices, n, *matrix);
    return joined;
  }

  absl::Status FillRows(std::span<const WeightMatrix> matrices, const gpu::Matrix& to) {
    std::int64_t begin = 0;
    for (const WeightMatrix& matrix : matrices) {
      const bool last = &matrix == &matrices.back();
      const std::int64_t row_bytes = kernels::RowBytes(matrix.format, matrix.cols);
      // Whole multiples, so that each run's rows and scales begin at 16 bytes.
      const std::int64_t run = std::max<std::int64_t>(1, run_bytes_ / row_bytes / kRowsMultiple) * kRowsMultiple;
      for (std::int64_t row = 0; row < matrix.rows; row += run) {
        const WeightMatrix part = Rows(matrix, row, std::min(run, matrix.rows - row));
        const bool ends = last && row + part.rows == matrix.rows;
        const auto count = static_cast<std::int32_t>(ends ? to.n - begin : part.rows);
        absl::Status status = FillRun(part, RowsOf(to, begin, count));
        if (!status.ok()) return status;
        begin += part.rows;
      }
    }
    return absl::OkStatus();
  }

  absl::Status FillRun(const WeightMatrix& part, const gpu::Matrix& to) {
    if (!SameBytes(part.format, to.format)) return upload_.Repack({&part, 1}, to.n, to);
    auto* data = static_cast<char*>(const_cast<void*>(to.data));
    const auto padding = static_cast<std::size_t>((to.n - part.rows) * to.k * 2);
    if (padding > 0) {
      RETURN_IF_DEVICE_ERROR(gpu::Fill(data + FileBytes(part), 0, padding, upload_.stream()), "loading weights");
    }
    return upload_.CopyRows(data, part);
  }

  Allocator allocator_;
  const GpuWeightsFormat wanted_;
  WeightUpload& upload_;
  const std::int64_t run_bytes_;
  absl::Status status_;
};

// What the staging must hold at once for matrices that are joined; 0: none of them goes through it.
std::int64_t StagingBytesFor(std::span<const WeightMatrix> matrices, GpuWeightsFormat wanted, std::int64_t run_bytes) {
  std::int64_t run = 0, joined = 0;
  for (const WeightMatrix& matrix : matrices) {
    const MatrixFormat to = MatrixFormatFor(matrix.format, wanted);
    if (SameBytes(matrix.format, to)) continue;
    const std::int64_t padding = kRowsMultiple * kernels::RowBytes(matrix.format, matrix.cols);
    const std::int64_t bytes = FileBytes(matrix) + padding;
    if (RowMajor(to)) {
      run = std::max(run, std::min(bytes, run_bytes + 2 * padding));
    } else {
      joined += bytes;
    }
  }
  return std::max(run, joined);
}

std::int64_t StagingBytes(const DecoderWeights& weights, GpuWeightsFormat wanted, std::int64_t run_bytes) {
  std::int64_t bytes = 0;
  for (const DecoderLayer& layer : weights.layers) {
    bytes = std::max({bytes, StagingBytesFor(std::array{layer.q, layer.k, layer.v}, wanted, run_bytes),
                      StagingBytesFor(std::array{layer.gate, layer.up}, wanted, run_bytes),
                      StagingBytesFor({&layer.attention_output, 1}, wanted, run_bytes),
                      StagingBytesFor({&layer.down, 1}, wanted, run_bytes)});
  }
  return bytes;
}

std::int64_t BytesToRead(const DecoderWeights& weights, bool output_is_embedding) {
  std::int64_t bytes = FileBytes(weights.token_embedding) + (output_is_embedding ? 0 : FileBytes(weights.output));
  for (const DecoderLayer& layer : weights.layers) {
    for (const WeightMatrix* matrix :
         {&layer.q, &layer.k, &layer.v, &layer.attention_output, &layer.gate, &layer.up, &layer.down}) {
      bytes += FileBytes(*matrix);
    }
    for (const std::vector<float>* vector :
         {&layer.attention_norm, &layer.ffn_norm, &layer.qkv_bias, &layer.q_norm, &layer.k_norm}) {
      bytes += static_cast<std::int64_t>(vector->size() * sizeof(float));
    }
  }
  return bytes + static_cast<std::int64_t>(weights.output_norm.size() * sizeof(float));
}

// A layer whose queries and keys come in the order of neighbouring pairs. `q_rows` and `k_rows` are where its rows lie.
DecoderLayer InNeighbourOrder(DecoderLayer layer, const DecoderConfig& config, std::vector<std::uint8_t>& q_rows,
                              std::vector<std::uint8_t>& k_rows) {
  layer.q = NeighboursOfHalves(layer.q, config.head_dim, q_rows);
  layer.k = NeighboursOfHalves(layer.k, config.head_dim, k_rows);
  layer.q_norm = NeighboursOfHalves(layer.q_norm, config.head_dim);
  layer.k_norm = NeighboursOfHalves(layer.k_norm, config.head_dim);
  if (!layer.qkv_bias.empty()) {
    const std::span<float> rotated(layer.qkv_bias.data(), static_cast<std::size_t>(layer.q.rows + layer.k.rows));
    std::ranges::copy(NeighboursOfHalves(rotated, config.head_dim), rotated.begin());
  }
  return layer;
}

// Fills matrices from one random block of BF16 values that is laid down again and again.
class RandomFiller {
 public:
  RandomFiller(GpuWeights& out, gpu::Stream stream) : allocator_(out), stream_(stream) {}

  absl::Status Init(std::uint64_t seed) {
    absl::StatusOr<DeviceMemory> block = AllocateDevice(kBlockValues * sizeof(gpu::Bf16), "random weights");
    if (!block.ok()) return block.status();
    block_ = *std::move(block);
    RETURN_IF_DEVICE_ERROR(
        gpu::FillRandomBf16(static_cast<gpu::Bf16*>(block_.get()), kBlockValues, 0.02F, seed, stream_),
        "random weights");
    return absl::OkStatus();
  }

  absl::StatusOr<gpu::Matrix> Matrix(MatrixFormat format, std::int32_t n, std::int32_t k) {
    absl::StatusOr<gpu::Matrix> matrix = allocator_.Matrix(format, n, k);
    if (!matrix.ok()) return matrix;
    const auto run = static_cast<std::int32_t>(kBlockValues / k / kRowsMultiple * kRowsMultiple);  // as FillRows
    for (std::int32_t row = 0; row < n; row += run) {
      const gpu::Matrix rows = RowsOf(*matrix, row, std::min(run, n - row));
      const gpu::Repack repack{.file = static_cast<const std::uint8_t*>(block_.get()),
                               .from = WeightFormat::kBF16,
                               .n = rows.n,
                               .k = k,
                               .to = format,
                               .data = const_cast<void*>(rows.data),
                               .scales = const_cast<void*>(rows.scales)};
      RETURN_IF_DEVICE_ERROR(gpu::RunRepack(repack, stream_), "random weights");
    }
    return matrix;
  }

  absl::StatusOr<const float*> Ones(std::int32_t count) {
    const std::vector<float> values(static_cast<std::size_t>(count), 1.0F);
    absl::StatusOr<void*> memory = allocator_.Bytes(static_cast<std::int64_t>(values.size() * sizeof(float)));
    if (!memory.ok()) return memory.status();
    RETURN_IF_DEVICE_ERROR(gpu::CopyToDevice(*memory, values.data(), values.size() * sizeof(float), stream_),
                           "random weights");
    RETURN_IF_DEVICE_ERROR(gpu::Synchronize(stream_), "random weights");
    return static_cast<const float*>(*memory);
  }

 private:
  static constexpr std::size_t kBlockValues = std::size_t{4} << 20;

  Allocator allocator_;
  const gpu::Stream stream_;
  DeviceMemory block_;
};

absl::Status FillRandom(RandomFiller& filler, const DecoderConfig& config, GpuWeightsFormat wanted, GpuWeights& out) {
  const MatrixFormat format = wanted == GpuWeightsFormat::kFp8 ? MatrixFormat::kFp8 : MatrixFormat::kBf16;
  const absl::StatusOr<const float*> ones = filler.Ones(config.width);
  if (!ones.ok()) return ones.status();
  out.output_norm = *ones;
  absl::Status status;
  const auto take = [&](MatrixFormat as, std::int32_t n, std::int32_t k) {
    const absl::StatusOr<gpu::Matrix> matrix = filler.Matrix(as, n, k);
    if (!matrix.ok()) {
      status = matrix.status();
      return gpu::Matrix{};
    }
    return *matrix;
  };
  for (std::int32_t i = 0; i < config.layers && status.ok(); ++i) {
    GpuLayer& layer = out.layers.emplace_back();
    layer.attention_norm = layer.ffn_norm = *ones;
    layer.qkv.count = layer.gate_up.count = 1;
    layer.qkv.parts[0] = take(format, config.q_width() + 2 * config.kv_width(), config.width);
    layer.attention_output = take(format, config.width, config.q_width());
    layer.gate_up.parts[0] = take(format, 2 * config.ffn_width, config.width);
    layer.down = take(format, config.width, config.ffn_width);
  }
  out.output = take(MatrixFormat::kBf16, PaddedRows(config.vocabulary), config.width);
  out.embedding = static_cast<const std::uint8_t*>(out.output.data);
  return status;
}

}  // namespace

MatrixFormat MatrixFormatFor(WeightFormat file, GpuWeightsFormat wanted) {
  if (wanted == GpuWeightsFormat::kBf16) return MatrixFormat::kBf16;
  if (wanted == GpuWeightsFormat::kFp8) return MatrixFormat::kFp8;
  switch (file) {
    case WeightFormat::kQ8_0:
      return MatrixFormat::kQ8_0;
    case WeightFormat::kQ4_0:
      return MatrixFormat::kQ4_0;
    case WeightFormat::kQ4_1:
      return MatrixFormat::kQ4_1;
    case WeightFormat::kQ4_K:
      return MatrixFormat::kQ4_K;
    default:
      return MatrixFormat::kBf16;
  }
}

absl::StatusOr<GpuWeights> GpuWeights::Upload(const DecoderWeights& weights, const DecoderConfig& config,
                                              GpuWeightsFormat format, int threads, const LoadProgress& progress,
                                              std::int64_t run_bytes) {
  // The output matrix is spared the rounding to FP8.
  const GpuWeightsFormat output_format = format == GpuWeightsFormat::kFp8 ? GpuWeightsFormat::kBf16 : format;
  const std::int64_t staging = std::max(StagingBytes(weights, format, run_bytes),
                                        StagingBytesFor({&weights.output, 1}, output_format, run_bytes));
  // Tied, and lying in the file as the product wants it: one matrix for both uses.
  const bool shared = weights.output.data == weights.token_embedding.data &&
                      SameBytes(weights.output.format, MatrixFormatFor(weights.output.format, output_format)) &&
                      PaddedRows(config.vocabulary) == config.vocabulary;
  absl::StatusOr<std::unique_ptr<WeightUpload>> upload =
      WeightUpload::Create(threads, staging, BytesToRead(weights, shared), progress);
  if (!upload.ok()) return upload.status();

  GpuWeights out;
  FileLoader loader(out, format, **upload, run_bytes);
  out.embedding_format = weights.token_embedding.format;
  out.embedding =
      static_cast<const std::uint8_t*>(loader.Raw(weights.token_embedding.data, FileBytes(weights.token_embedding)));
  std::vector<std::uint8_t> q_rows, k_rows;  // copied away by the time a layer has been told to the loader
  for (const DecoderLayer& of_file : weights.layers) {
    const bool halves = config.rope_pairs == kernels::RopePairs::kHalves;
    const DecoderLayer layer = halves ? InNeighbourOrder(of_file, config, q_rows, k_rows) : of_file;
    GpuLayer& to = out.layers.emplace_back();
    to.attention_norm = loader.Vector(layer.attention_norm);
    to.qkv_bias = loader.Vector(layer.qkv_bias);
    to.q_norm = loader.Vector(layer.q_norm);
    to.k_norm = loader.Vector(layer.k_norm);
    to.qkv = loader.Join(std::array{layer.q, layer.k, layer.v});
    to.attention_output = loader.Single(layer.attention_output);
    to.ffn_norm = loader.Vector(layer.ffn_norm);
    to.gate_up = loader.Join(std::array{layer.gate, layer.up});
    to.down = loader.Single(layer.down);
  }
  out.output_norm = loader.Vector(weights.output_norm);
  out.rope_pair_divisors = weights.rope_pair_divisors;
  if (shared) {
    out.output = {.data = out.embedding,
                  .scales = nullptr,
                  .format = MatrixFormat::kBf16,
                  .n = config.vocabulary,
                  .k = config.width};
    out.matrix_bytes += FileBytes(weights.output);
  } else {
    out.output = loader.Single(weights.output, output_format);
  }
  if (!loader.status().ok()) return loader.status();
  absl::Status status = (*upload)->Finish();
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<GpuWeights> GpuWeights::Random(const DecoderConfig& config, GpuWeightsFormat format,
                                              std::uint64_t seed) {
  absl::StatusOr<DeviceStream> stream = MakeStream();
  if (!stream.ok()) return stream.status();
  GpuWeights out;
  RandomFiller filler(out, stream->get());
  absl::Status status = filler.Init(seed);
  if (status.ok()) status = FillRandom(filler, config, format, out);
  // Waits in any case: the filler's block must not go before the kernels that read it.
  const gpu::LaunchResult done = gpu::Synchronize(stream->get());
  if (!status.ok()) return status;
  RETURN_IF_DEVICE_ERROR(done, "random weights");
  return out;
}

}  // namespace model
