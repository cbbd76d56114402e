// What Qwen2 and Qwen3 add to a Llama layer, on a device. The reference is the forward pass on the CPU in F32, which
// tests/golden/architectures holds to transformers' logits; its tiny models have shorter heads than the kernels take.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libs/model/decoder_model.h"
#include "libs/model/gpu/pair_order.h"
#include "libs/model/gpu/tensor_parallel.h"
#include "tests/libs/model/gpu/gpu_model_fixture.h"
#include "tests/libs/model/sequence_driver.h"

namespace model {
namespace {

// As in llama_gpu_model_test.cpp; with norms of queries and keys attention is steeper and rounding costs more.
constexpr double kBf16Deviation = 0.03, kFp8Deviation = 0.3;

class GpuArchitecturesTest : public GpuModelTest {
 protected:
  struct File {
    std::string bytes;
    std::shared_ptr<const tensor::GgufFile> parsed;
  };

  // Biases and norms that differ much from value to value, so that one in another's place shows.
  static File Make(TinyLlama tiny) {
    File file{tiny.Bytes(), nullptr};
    const auto parsed = tensor::GgufFile::Parse(tensor::AsBytes(file.bytes));
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    std::mt19937 rng(12);
    std::uniform_real_distribution<float> bias(-1.5F, 1.5F), norm(0.3F, 2.0F);
    for (std::uint32_t layer = 0; layer < tiny.layers; ++layer) {
      for (const char* name :
           {"attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_q_norm.weight", "attn_k_norm.weight"}) {
        const tensor::Tensor* tensor = (*parsed)->FindTensor("blk." + std::to_string(layer) + "." + name);
        if (tensor == nullptr) continue;
        const auto at = reinterpret_cast<const char*>(tensor->data.data()) - file.bytes.data();
        for (std::size_t i = 0; i < tensor->cols(); ++i) {
          const float value = std::string(name).ends_with("bias") ? bias(rng) : norm(rng);
          std::memcpy(file.bytes.data() + at + static_cast<std::ptrdiff_t>(i * sizeof(value)), &value, sizeof(value));
        }
      }
    }
    file.parsed = *tensor::GgufFile::Parse(tensor::AsBytes(file.bytes));
    return file;
  }

  static SequenceDriver::Outcome OnTheCpu(const File& file, const std::vector<std::int32_t>& prompt,
                                          std::int32_t tokens) {
    auto model = DecoderModel::Load(file.parsed, {.threads = 1,
                                                  .blocks_total = 24,
                                                  .block_size = 16,
                                                  .rows_max = 96,
                                                  .samples_max = 8,
                                                  .positions_max = 160,
                                                  .kv_dtype = kvcache::KvDtype::kF32,
                                                  .activations = Activations::kF32});
    EXPECT_TRUE(model.ok()) << model.status();
    auto scheduler = MakeScheduler(24, 1, 30);
    SequenceDriver driver(**model, *scheduler, /*keep_logits=*/true);
    driver.Start(1, prompt, tokens);
    driver.RunAll();
    return driver.outcome(1);
  }

  // A prompt in two chunks and a few decodes.
  static void ExpectCpuLogits(const File& file, GpuModel& model, double deviation) {
    std::mt19937 rng(13);
    const std::vector<std::int32_t> prompt = RandomTokens(rng, 41);
    const SequenceDriver::Outcome expected = OnTheCpu(file, prompt, 3);
    auto scheduler = MakeScheduler(24, 1, 30);
    GpuSequenceDriver driver(model, *scheduler, 1, /*keep_logits=*/true);
    driver.Start(1, prompt, 3, {}, expected.tokens);
    driver.RunAll();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LT(Deviation(driver.outcome(1).logits[i], expected.logits[i]), deviation) << "token " << i;
    }
  }
};

TEST_F(GpuArchitecturesTest, LogitsFollowTheForwardPassOnTheCpu) {
  struct Case {
    const char* architecture;
    tensor::DType dtype;
    GpuWeightsFormat weights;
    double deviation;
  };
  const Case cases[] = {
      {"qwen2", tensor::DType::kBF16, GpuWeightsFormat::kFile, kBf16Deviation},
      {"qwen2", tensor::DType::kQ4_1, GpuWeightsFormat::kFile, kBf16Deviation},
      {"qwen2", tensor::DType::kF16, GpuWeightsFormat::kFp8, kFp8Deviation},
      {"qwen3", tensor::DType::kBF16, GpuWeightsFormat::kFile, kBf16Deviation},
      {"qwen3", tensor::DType::kQ8_0, GpuWeightsFormat::kFile, kBf16Deviation},
      {"qwen3", tensor::DType::kF16, GpuWeightsFormat::kFp8, kFp8Deviation},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(testing::Message() << test.architecture << ", " << tensor::DTypeName(test.dtype) << ", weights "
                                    << static_cast<int>(test.weights));
    TinyLlama tiny = Tiny();
    tiny.architecture = test.architecture;
    tiny.dtype = test.dtype;
    const File file = Make(tiny);
    GpuModelOptions options = SmallOptions();
    options.weights = test.weights;
    const auto model = LlamaGpuModel::Load(*file.parsed, options);
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectCpuLogits(file, **model, test.deviation);
  }
}

// Each rank has its own heads' biases.
TEST_F(GpuArchitecturesTest, RanksAnswerAsTheCpu) {
  std::int32_t cards = 0;
  ASSERT_TRUE(kernels::gpu::DeviceCount(&cards).ok());
  if (cards < 2) GTEST_SKIP() << "two cards";
  for (const char* architecture : {"qwen2", "qwen3"}) {
    SCOPED_TRACE(architecture);
    TinyLlama tiny = Tiny();
    tiny.architecture = architecture;
    tiny.width = 256;
    tiny.heads = 4;
    tiny.kv_heads = 2;
    tiny.ffn_width = 128;
    const File file = Make(tiny);
    GpuModelOptions options = SmallOptions();
    options.tensor_parallel = 2;
    const auto model = TensorParallelModel::Load(*file.parsed, options);
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectCpuLogits(file, **model, kBf16Deviation);
  }
}

TEST_F(GpuArchitecturesTest, HeadsWhoseNormsTheKernelsDoNotCoverAreRefused) {
  TinyLlama tiny = Tiny();
  tiny.architecture = "qwen3";
  tiny.width = 192;  // heads of 96
  const absl::Status status = LlamaGpuModel::Load(*ParseTiny(tiny), SmallOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_NE(status.message().find("norms of heads of 96"), std::string_view::npos) << status;
}

TEST(PairOrderTest, HalvesOfEachHeadBecomeNeighbours) {
  const std::vector<float> two_heads = {0, 1, 2, 3, 10, 11, 12, 13};
  EXPECT_EQ(NeighboursOfHalves(two_heads, 4), (std::vector<float>{0, 2, 1, 3, 10, 12, 11, 13}));
  EXPECT_TRUE(NeighboursOfHalves(std::vector<float>{}, 4).empty());

  // Rows of two bytes, of a matrix that is cut from rows of six.
  std::vector<std::uint8_t> data(8 * 6);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i / 6 * 10 + i % 6);
  const WeightMatrix matrix{
      .data = data.data() + 2, .format = kernels::WeightFormat::kBF16, .rows = 8, .cols = 1, .row_stride = 6};
  std::vector<std::uint8_t> rows;
  const WeightMatrix ordered = NeighboursOfHalves(matrix, 4, rows);
  EXPECT_EQ(ordered.data, rows.data());
  EXPECT_EQ(ordered.row_stride, 0);
  EXPECT_EQ(rows, (std::vector<std::uint8_t>{2, 3, 22, 23, 12, 13, 32, 33, 42, 43, 62, 63, 52, 53, 72, 73}));
}

}  // namespace
}  // namespace model
