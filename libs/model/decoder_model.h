#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/thread_pool.h"
#include "libs/kvcache/kv_pool.h"
#include "libs/kvcache/step_batch.h"
#include "libs/model/decoder_config.h"
#include "libs/model/decoder_weights.h"
#include "libs/model/internal/aligned_array.h"
#include "libs/model/internal/attention_step.h"
#include "libs/model/internal/matrix_products.h"
#include "libs/tensor/gguf.h"

namespace model {

// How the inputs of matrix products are rounded. kInt8: to 8 bits with a scale for 96 values, for weights of a
// quantised format, which are packed at load; several times faster (docs/decisions/0003 has what it costs in
// perplexity). Weights of other formats are rounded to BF16 instead of their inputs. kF32: not at all.
enum class Activations { kF32, kInt8 };

using LaunchTrace = kernels::LaunchTrace;  // when each thread worked on which kernel

// "f16", "q8", or "auto": 8 bits where the processor has byte products (VNNI), which makes attention faster and takes
// half the memory; F16 elsewhere, where widening bytes costs more than they save. nullopt: another name.
std::optional<kvcache::KvDtype> KvDtypeNamed(std::string_view name);

struct DecoderOptions {
  int threads = 1;                    // of the forward pass, the caller among them
  std::int32_t blocks_total = 512;    // KV blocks
  std::int32_t swap_blocks = 0;       // host slots for blocks of preempted sequences
  std::int32_t block_size = 16;       // tokens in a block, up to kernels::kKvBlockSizeMax
  std::int32_t rows_max = 256;        // rows of a step
  std::int32_t samples_max = 32;      // logit rows of a step
  std::int32_t positions_max = 8192;  // positions of a sequence; beyond them there is no rotary table
  kvcache::KvDtype kv_dtype = kvcache::KvDtype::kF16;
  Activations activations = Activations::kF32;
  const kernels::CpuKernels* kernels = nullptr;  // nullptr: the best for this machine
};

// One forward pass of a decoder-only transformer on the CPU over a paged KV cache. This is the hot path.
//
// A step's rows belong to many sequences and may be prefill chunks and decodes at once. A row's results depend only on
// its own sequence: every kernel computes a row in an order that neither the batch nor the chunking changes. So a
// sequence gets the same logits, bit for bit, alone and in company, and after a preemption.
//
// Ownership: keeps the file mapped, the KV pool and all step memory, allocated in Load; a step allocates nothing but,
// where not every row samples, the longest list of those that do so far.
// Threading: confined to one thread at a time, which it helps with threads - 1 of its own.
class DecoderModel {
 public:
  // FailedPrecondition: the file is no model as supported. ResourceExhausted: the KV pool. InvalidArgument: an
  // option.
  static absl::StatusOr<std::unique_ptr<DecoderModel>> Load(std::shared_ptr<const tensor::GgufFile> file,
                                                            const DecoderOptions& options);

  // Runs the rows. REQUIRES: a batch within the options' limits, token ids in the vocabulary, blocks in the pool, and
  // positions below each row's computed in the same blocks by earlier rows.
  void ForwardStep(const kvcache::StepBatch& batch);

  // Calls body(sample, thread) for every sample of the last step, on the threads of the forward pass, for what is done
  // with the logits of each: thread is in [0, threads()).
  template <typename Body>
  void ForEachSample(std::int32_t samples, const Body& body) {
    threads_.Run(samples, [&](std::int64_t sample, int thread) { body(static_cast<std::int32_t>(sample), thread); },
                 {"sample", "", samples});
  }
  int threads() const { return threads_.threads(); }

  // Logits after row batch.logit_rows[sample] of the last step; valid until the next.
  std::span<const float> logits(std::int32_t sample) const;  // [vocabulary]

  const DecoderConfig& config() const { return config_; }

  // Of the matrices that products read: packed, or as in the file.
  std::int64_t weight_bytes() const { return weight_bytes_; }

  // Called before each layer of a step, whose time grows with the model and the rows; unset: nobody asks.
  void set_on_layer(std::function<void()> on_layer) { on_layer_ = std::move(on_layer); }

  // Records when each thread works on which kernel, from the next step on; nullptr: no more.
  void set_trace(LaunchTrace* trace) { threads_.set_trace(trace); }

 private:
  DecoderModel(std::shared_ptr<const tensor::GgufFile> file, const DecoderOptions& options, const DecoderConfig& config,
               DecoderWeights weights, kvcache::KvPool pool);

  // The matrices of a layer as products want them.
  struct LayerProducts {
    ProductMatrix q, k, v, attention_output, gate, up, down;
  };

  ProductMatrix Prepare(const WeightMatrix& matrix);
  void CheckBatch(const kvcache::StepBatch& batch) const;
  void MoveBlocks(const kvcache::StepBatch& batch) const;
  void Embed(const kvcache::StepBatch& batch);
  void QueriesKeysAndValues(const kvcache::StepBatch& batch, std::int32_t layer);
  const kvcache::StepBatch& KeepSampledRows(const kvcache::StepBatch& batch);
  void Attention(const kvcache::StepBatch& batch, std::int32_t layer);
  void FeedForward(std::int32_t layer, std::int64_t rows);
  void Logits(const kvcache::StepBatch& batch);

  // One row's queries, keys and values as attention wants them, once their products are there.
  void FinishQkv(const DecoderLayer& layer, const float* angles, float* qkv) const;
  // Where a branch's last product goes: onto the residual stream, or beside it if the branch is normalised first.
  MatrixProducts::Product ToResidual(const ProductMatrix& w) const;
  void AddBranch(const std::vector<float>& post_norm, std::int64_t rows);

  kernels::PagedKv LayerKv(std::int32_t layer) const;
  const float* Angles(std::int32_t layer, std::int64_t position) const;
  float* Norm(std::int64_t row, const std::vector<float>& weight, float* to) const;  // `to`

  const std::shared_ptr<const tensor::GgufFile> file_;
  const DecoderOptions options_;
  const DecoderConfig config_;
  const DecoderWeights weights_;
  const kernels::CpuKernels& kernels_;
  const kvcache::KvPool pool_;
  kernels::ThreadPool threads_;
  MatrixProducts products_;
  std::vector<LayerProducts> layers_;  // [layers]
  ProductMatrix output_;
  std::int64_t weight_bytes_ = 0;
  std::function<void()> on_layer_;

  AttentionStep attention_;

  AlignedFloats rope_table_;        // [positions_max][2][head_dim]
  AlignedFloats local_rope_table_;  // the same for local layers, if there are any
  // Of a step. The residual stream x collects what each layer adds.
  AlignedFloats x_;                            // [rows_max][width]
  AlignedFloats branch_;                       // [rows_max][width], if there are post norms
  AlignedFloats qkv_;                          // [rows_max][q_width + 2 * kv_width]
  AlignedFloats attended_;                     // [rows_max][q_width]
  AlignedFloats gate_up_;                      // [2][rows_max][ffn_width]
  AlignedFloats logits_;                       // [samples_max][vocabulary]
  std::vector<std::int32_t> sequence_of_row_;  // [rows_max]
  kvcache::StepBatch sampled_;                 // what the last layer sees of it
};

}  // namespace model
