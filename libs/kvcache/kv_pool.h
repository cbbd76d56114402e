#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "libs/kvcache/block_id.h"

namespace kvcache {

enum class KvDtype { kF32, kF16, kQ8 };  // kQ8: 8 bits a value, a scale a token and head

struct KvPoolShape {
  std::int32_t layers = 0;
  std::int32_t blocks_total = 0;
  std::int32_t kv_heads = 0;
  std::int32_t block_size = 0;  // tokens
  std::int32_t head_dim = 0;
  KvDtype dtype = KvDtype::kF16;
};

// The memory behind the blocks, in host memory:
//   k, v : [layers][blocks_total] blocks of block_bytes(), laid out as kernels/kvcache/paged_kv.h describes
// A block is contiguous, and one head's run in it too, so attention streams it. Pages, of 2 MiB where the
// system gives them, become resident when first written, so a large pool costs only what was used. Contents are never
// cleared: a row attends only to positions that its own sequence has written since it got the block. Vectors may load
// what a former owner left in the slots beside them; it never gets into a result.
//
// Threading: no synchronisation; the model's threads write disjoint slots within a step.
class KvPool {
 public:
  // ResourceExhausted when the memory can't be had (lower kv_blocks), InvalidArgument on a non-positive dimension.
  static absl::StatusOr<KvPool> Create(const KvPoolShape& shape);

  const KvPoolShape& shape() const { return shape_; }
  std::size_t bytes() const { return layer_bytes_ * static_cast<std::size_t>(shape_.layers) * 2; }

  // One block in one plane, whatever the dtype: it begins at k(layer) + block * block_bytes(). A sequence's block is
  // such a piece in each of the planes() planes, which begin at plane(i): the layers' keys, then their values.
  std::size_t block_bytes() const { return block_bytes_; }
  std::int32_t planes() const { return 2 * shape_.layers; }
  std::byte* plane(std::int32_t index) const { return memory_.get() + layer_bytes_ * static_cast<std::size_t>(index); }

  // Keys and values of a whole block in every layer: the copy on write of a fork. REQUIRES: both below blocks_total.
  void CopyBlock(BlockId from, BlockId to) const;

  void* k(std::int32_t layer) const { return plane(layer); }                  // [blocks_total] of block_bytes()
  void* v(std::int32_t layer) const { return plane(shape_.layers + layer); }  // the same

 private:
  struct FreeDeleter {
    void operator()(std::byte* p) const;
  };

  KvPool(const KvPoolShape& shape, std::size_t block_bytes, std::size_t layer_bytes, std::byte* memory)
      : shape_(shape), block_bytes_(block_bytes), layer_bytes_(layer_bytes), memory_(memory) {}

  KvPoolShape shape_;
  std::size_t block_bytes_, layer_bytes_;
  std::unique_ptr<std::byte[], FreeDeleter> memory_;
};

}  // namespace kvcache
