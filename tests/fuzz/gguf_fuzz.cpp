// Any bytes as a model file: refused with a status, or every tensor lies inside the file and every getter answers.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "libs/base/check.h"
#include "libs/model/chat_codec.h"
#include "libs/tensor/gguf.h"

namespace {

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that AddressSanitizer sees one byte read too many.
  const auto copy = std::make_unique<std::byte[]>(size);
  if (size > 0) std::memcpy(copy.get(), data, size);
  const std::span<const std::byte> bytes(copy.get(), size);
  const auto file = tensor::GgufFile::Parse(bytes);
  if (!file.ok()) return 0;
  for (const tensor::Tensor& tensor : (*file)->tensors()) {
    CHECK(tensor.data.data() >= bytes.data());
    CHECK(tensor.data.size() <= static_cast<std::size_t>(bytes.data() + bytes.size() - tensor.data.data()));
    CHECK(tensor.data.size() == tensor.row_bytes * tensor.rows());
    CHECK((*file)->FindTensor(tensor.name) == &tensor);
  }
  ReadEveryKey(**file);
  (void)model::ChatCodec::Load(**file);  // vocabulary and template are as untrusted as the header
  return 0;
}
