// Any bytes as a model file, through the whole load path and one step: refused with a status, or every tensor lies
// inside the file, every getter answers, and a prompt is encoded, computed and sampled from.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/check.h"
#include "libs/model/chat_codec.h"
#include "libs/model/decoder_model.h"
#include "libs/sampler/sampler.h"
#include "libs/tensor/gguf.h"
#include "tests/fuzz/gguf_edits.h"

namespace {

constexpr std::int32_t kRowsMax = 8;

void ReadEveryKey(const tensor::GgufFile& file) {
  for (const std::string_view key : file.MetadataKeys()) {
    (void)file.GetUint(key);
    (void)file.GetInt(key);
    (void)file.GetFloat(key);
    (void)file.GetBool(key);
    (void)file.GetString(key);
    (void)file.GetStringArray(key);
    (void)file.GetInt32Array(key);
    (void)file.GetFloat32Array(key);
  }
}

void CheckTensors(const tensor::GgufFile& file, std::span<const std::byte> bytes) {
  for (const tensor::Tensor& tensor : file.tensors()) {
    CHECK(tensor.data.data() >= bytes.data());
    CHECK(tensor.data.size() <= static_cast<std::size_t>(bytes.data() + bytes.size() - tensor.data.data()));
    CHECK(tensor.data.size() == tensor.row_bytes * tensor.rows());
    CHECK(file.FindTensor(tensor.name) == &tensor);
  }
}

// A step of the prompt's first tokens, and the choice of the next.
void Answer(std::shared_ptr<const tensor::GgufFile> file, const model::ChatCodec& codec, bool rounded) {
  model::DecoderOptions options{
      .blocks_total = 4, .block_size = 4, .rows_max = kRowsMax, .samples_max = 1, .positions_max = 16};
  options.activations = rounded ? model::Activations::kInt8 : model::Activations::kF32;
  options.kv_dtype = rounded ? kvcache::KvDtype::kQ8 : kvcache::KvDtype::kF16;
  const auto decoder = model::DecoderModel::Load(std::move(file), options);
  if (!decoder.ok()) return;
  const std::vector<model::ChatMessage> messages{{"user", "hi"}};
  auto prompt = codec.EncodeChat(messages, /*add_generation_prompt=*/true);
  const std::int32_t vocabulary = (*decoder)->config().vocabulary;
  // The engine refuses a tokenizer that has more tokens than the embedding.
  if (!prompt.ok() || prompt->empty() || codec.tokenizer().vocab_size() > vocabulary) return;
  if (prompt->size() > kRowsMax) prompt->resize(kRowsMax);
  kvcache::StepBatch batch;
  batch.Clear();
  for (const std::int32_t token : *prompt) {
    batch.positions.push_back(batch.rows());
    batch.token_ids.push_back(token);
  }
  batch.row_begin.push_back(batch.rows());
  batch.block_ids = {1, 2};
  batch.block_begin.push_back(2);
  batch.logit_rows = {batch.rows() - 1};
  (*decoder)->ForwardStep(batch);
  sampler::SamplerScratch scratch;
  (void)sampler::Sampler({.temperature = 1.0F}, *prompt, vocabulary).Sample((*decoder)->logits(0), scratch);
}

void LoadBytes(const std::uint8_t* data, std::size_t size, bool rounded) {
  // A copy of exactly this size, so that AddressSanitizer sees one byte read too many.
  const auto copy = std::make_unique<std::byte[]>(size);
  if (size > 0) std::memcpy(copy.get(), data, size);
  const std::span<const std::byte> bytes(copy.get(), size);
  auto parsed = tensor::GgufFile::Parse(bytes);
  if (!parsed.ok()) return;
  const std::shared_ptr<const tensor::GgufFile> file = *std::move(parsed);
  CheckTensors(*file, bytes);
  ReadEveryKey(*file);
  const auto codec = model::ChatCodec::Load(*file);  // vocabulary and template are as untrusted as the header
  if (codec.ok()) Answer(file, **codec, rounded);
}

}  // namespace

// Bytes that begin as a model file does are one; all others are a script of edits to a good one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 4 && std::memcmp(data, "GGUF", 4) == 0) {
    LoadBytes(data, size, size % 2 == 0);
    return 0;
  }
  const std::string edited = fuzz::EditedModel({data, size});
  LoadBytes(reinterpret_cast<const std::uint8_t*>(edited.data()), edited.size(), size % 2 == 0);
  return 0;
}
