// The engine with the forward pass on a device: the emulator, or a card when the build has MESH_CUDA. The numbers are
// judged by the tests of libs/model; these are about what the engine makes of them.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <string>

#include "libs/engine/make_engine.h"
#include "libs/tensor/gguf.h"
#include "tests/libs/engine/device_chat_model.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/emulator.h"
#endif

namespace engine {
namespace {

#if defined(GPU_EMULATOR)
constexpr const char* kDevice = "emulator";
#else
constexpr const char* kDevice = "cuda";
#endif

EngineOptions OptionsFor(const std::string& path) {
  EngineOptions options;
  options.model_path = path;
  options.device = kDevice;
  options.kv_blocks = 20;
  options.sequences_max = 6;
  options.step_tokens_max = 48;
  return options;
}

class DeviceEngineTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> Make(const EngineOptions& options) {
    auto engine = MakeEngine(options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  ResultCollector results_;
};

TEST_F(DeviceEngineTest, AnswersAloneTheSameEachTimeWithEveryFormatAndPenalty) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  for (const char* weights : {"file", "bf16", "fp8"}) {
    EngineOptions options = OptionsFor(file.path());
    options.weights = weights;
    options.kv = std::string_view(weights) == "fp8" ? "fp8" : "bf16";
    auto engine = Make(options);
    ASSERT_NE(engine, nullptr);
    EXPECT_NE(engine->device_name().find(weights), std::string::npos) << engine->device_name();
    GenerationRequest request = Ask("hello", 12);
    request.sampling = {.temperature = 1.0F, .repetition_penalty = 1.2F, .seed = 3};
    std::string first;
    for (int i = 0; i < 2; ++i) {
      ResultCollector results;
      ASSERT_TRUE(engine->Submit(request, results.For(0)).ok());
      const auto result = results.Wait(0);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(unicode::IsValidUtf8(result->text));
      EXPECT_LE(result->completion_tokens, 12);
      EXPECT_GT(result->ttft, result->queue_time);
      if (i == 0) first = result->text;
      EXPECT_EQ(result->text, first);
    }
    EXPECT_EQ(engine->credit().blocks_free, 20);
  }
}

// Branches share their prompt's blocks and write into copies of the last one: each says what a request of its own says.
TEST_F(DeviceEngineTest, BranchesOfAForkSayWhatSeparateRequestsWithTheirSeedsSay) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  GenerationRequest request = Ask("a fork", 12);
  request.sampling.temperature = 1.0F;
  request.ignore_end_of_turn = true;
  for (int i = 0; i < 4; ++i) {
    request.sampling.seed = 70 + static_cast<std::uint64_t>(i);
    ASSERT_TRUE(engine->Submit(request, results_.For(i)).ok());
  }
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(results_.Wait(i).ok());
  request.sampling.seed = 70;
  request.branches = 4;
  ASSERT_TRUE(engine->Submit(request, results_.For(9)).ok());
  const auto forked = results_.Wait(9);
  ASSERT_TRUE(forked.ok()) << forked.status();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(forked->branches.at(static_cast<std::size_t>(i)).text, results_.Wait(i)->text) << i;
  }
  EXPECT_NE(forked->branches[0].text, forked->branches[1].text) << "seeds are meant to tell them apart";
  EXPECT_EQ(engine->stats().forks_total, 3);
  EXPECT_EQ(engine->credit().blocks_free, 20);
}

// A token of the byte 'e' ends the answer, wherever in the pipeline the engine learns of it.
TEST_F(DeviceEngineTest, StopStringEndsTheAnswerThoughTheNextStepIsOnItsWay) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  GenerationRequest request = Ask("hello", 40);
  request.sampling = {.temperature = 2.0F, .seed = 1};
  ASSERT_TRUE(engine->Submit(request, results_.For(0)).ok());
  const auto whole = results_.Wait(0);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_GT(whole->text.size(), 3U);
  const std::size_t at = whole->text.size() / 2;
  std::size_t begin = at;
  while (begin > 0 && (static_cast<unsigned char>(whole->text[begin]) & 0xC0U) == 0x80U) --begin;
  std::size_t end = begin + 1;
  while (end < whole->text.size() && (static_cast<unsigned char>(whole->text[end]) & 0xC0U) == 0x80U) ++end;
  request.stop = {whole->text.substr(begin, end - begin)};
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  const auto stopped = results_.Wait(1);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->finish_reason, FinishReason::kStopString);
  EXPECT_EQ(stopped->text, whole->text.substr(0, whole->text.find(request.stop[0])));
}

// Goal: a sequence whose numbers are poisoned ends alone. What it left in its blocks must not reach their next owner.
TEST_F(DeviceEngineTest, PoisonedSequencesEndAloneAndTheirBlocksServeOthers) {
  std::string bytes = DeviceChatModel().Bytes();
  auto parsed = tensor::GgufFile::Parse(tensor::AsBytes(bytes));
  ASSERT_TRUE(parsed.ok());
  const tensor::Tensor* embedding = (*parsed)->FindTensor("token_embd.weight");
  const auto row = static_cast<std::size_t>(reinterpret_cast<const char*>(embedding->data.data()) - bytes.data()) +
                   'Z' * embedding->row_bytes;
  for (std::size_t i = 0; i < embedding->row_bytes; i += 2) std::memcpy(bytes.data() + row + i, "\x00\x7e", 2);
  const TemporaryFile poisoned(bytes);
  EngineOptions options = OptionsFor(poisoned.path());
  options.kv_blocks = 9;  // each block has several owners
  auto engine = Make(options);
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(engine->Submit(Ask(i % 3 == 1 ? "a Z b" : "harmless " + std::to_string(i), 5), results_.For(i)).ok());
  }
  for (int i = 0; i < 12; ++i) {
    const auto result = results_.Wait(i);
    if (i % 3 == 1) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss) << i;
    } else if (!result.ok()) {  // it chose a 'Z' itself: greedy answers of this seed do not
      ADD_FAILURE() << i << ": " << result.status();
    }
  }
  EXPECT_EQ(engine->stats().sequences_failed_total, 4);
  EXPECT_EQ(engine->credit().blocks_free, 9);
}

// Goal: whatever is asked, each accepted sequence gets exactly one end, penalties and preemptions included.
TEST_F(DeviceEngineTest, RandomRequestsAndCancellationsEachGetOneEnd) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  EngineOptions options = OptionsFor(file.path());
  options.kv_blocks = 12;
  options.sequences_max = 4;  // fewer penalty slots than sequences that pause
  auto engine = Make(options);
  ASSERT_NE(engine, nullptr);
  std::mt19937 rng(17);
  constexpr int kRequests = 30;
  for (int i = 0; i < kRequests; ++i) {
    GenerationRequest request = Ask(std::string(1 + rng() % 60, 'q'), 1 + static_cast<std::int32_t>(rng() % 20));
    request.sampling.temperature = rng() % 2 == 0 ? 0.0F : 1.0F;
    request.sampling.top_k = rng() % 2 == 0 ? 0 : 40;
    request.sampling.repetition_penalty = rng() % 2 == 0 ? 1.0F : 1.4F;
    request.sampling.seed = rng();
    const auto id = engine->Submit(std::move(request), results_.For(i));
    ASSERT_TRUE(id.ok()) << id.status();
    if (rng() % 6 == 0) engine->Cancel(*id);
  }
  for (int i = 0; i < kRequests; ++i) {
    const auto result = results_.Wait(i);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(unicode::IsValidUtf8(result->text));
  }
  EXPECT_EQ(engine->credit().blocks_free, 12);
}

TEST_F(DeviceEngineTest, OptionsAreCheckedByName) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  const auto status_with = [&](void (*spoil)(EngineOptions&)) {
    EngineOptions options = OptionsFor(file.path());
    spoil(options);
    return MakeEngine(options).status();
  };
  const struct {
    const char* says;
    absl::StatusCode code;
    void (*spoil)(EngineOptions&);
  } cases[] = {
    {"device", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.device = "tpu"; }},
    {"weights", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.weights = "int3"; }},
    {"kv", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.kv = "f64"; }},
    {"bf16, fp8 on a device", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.kv = "q8"; }},
    {"block_size", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.block_size = 4; }},
    {"1 key and value heads", absl::StatusCode::kInvalidArgument, [](EngineOptions& o) { o.tensor_parallel = 2; }},
    {"--device=cpu", absl::StatusCode::kFailedPrecondition, [](EngineOptions& o) { o.device_ordinal = 1000; }},
#if defined(GPU_EMULATOR)
    {"make build CUDA=1", absl::StatusCode::kFailedPrecondition, [](EngineOptions& o) { o.device = "cuda"; }},
    // What is missing is the build, not the card of that number.
    {"make build CUDA=1", absl::StatusCode::kFailedPrecondition,
     [](EngineOptions& o) { o.device = "cuda", o.device_ordinal = 9; }},
#else
    {"--device=cuda", absl::StatusCode::kFailedPrecondition, [](EngineOptions& o) { o.device = "emulator"; }},
#endif
  };
  for (const auto& test : cases) {
    const absl::Status status = status_with(test.spoil);
    EXPECT_EQ(status.code(), test.code) << status;
    EXPECT_NE(std::string(status.message()).find(test.says), std::string::npos) << status;
  }
}

#if defined(GPU_EMULATOR)
TEST_F(DeviceEngineTest, TwoCardsAnswerAsOne) {
  auto model = DeviceChatModel();
  model.kv_heads = 2;
  model.ffn_width = 128;
  const TemporaryFile file(model.Bytes());
  std::vector<std::string> answers;
  for (std::int32_t cards : {1, 2}) {
    EngineOptions options = OptionsFor(file.path());
    options.tensor_parallel = cards;
    auto engine = Make(options);
    ASSERT_NE(engine, nullptr);
    EXPECT_EQ(engine->device_name().find("2 cards") != std::string::npos, cards == 2) << engine->device_name();
    ResultCollector results;
    ASSERT_TRUE(engine->Submit(Ask("hello", 12), results.For(0)).ok());
    const auto result = results.Wait(0);
    ASSERT_TRUE(result.ok()) << result.status();
    answers.push_back(result->text);
  }
  EXPECT_EQ(answers[0], answers[1]);
}

// The worker ends its process where this test takes a note; no turn may have heard of the failure by then.
TEST_F(DeviceEngineTest, LostDeviceIsToldBeforeAnySequenceFails) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  EngineOptions options = OptionsFor(file.path());
  std::atomic<int> told{0};
  std::atomic<std::size_t> results_before{99};
  options.on_device_lost = [&](const absl::Status& status) {
    EXPECT_NE(std::string(status.message()).find("device"), std::string::npos) << status;
    if (told++ == 0) results_before = results_.size();
  };
  auto engine = Make(options);
  ASSERT_NE(engine, nullptr);
  kernels::gpu::emulator::LoseDeviceAfter(120);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Submit(Ask("hello", 200), results_.For(i)).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(results_.Wait(i).status().code(), absl::StatusCode::kInternal);
  EXPECT_GE(told, 1);
  EXPECT_EQ(results_before, 0U);
  engine.reset();
  kernels::gpu::emulator::LoseDeviceAfter(-1);
}

// A launch that the card does not make fails the step's sequences and no more: the process is as good as before.
TEST_F(DeviceEngineTest, RefusedStepFailsItsSequencesAndNotTheDevice) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  EngineOptions options = OptionsFor(file.path());
  std::atomic<int> told{0};
  options.on_device_lost = [&](const absl::Status&) { ++told; };
  auto engine = Make(options);
  ASSERT_NE(engine, nullptr);
  kernels::gpu::emulator::FailOnceAfter(20, kernels::gpu::LaunchResult::Refused("a test"));
  ASSERT_TRUE(engine->Submit(Ask("hello", 30), results_.For(0)).ok());
  const absl::Status refused = results_.Wait(0).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInternal) << refused;
  EXPECT_NE(std::string(refused.message()).find("was refused: a test"), std::string::npos) << refused;
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(engine->Submit(Ask("hello", 30), results_.For(1)).ok());
  EXPECT_TRUE(results_.Wait(1).ok()) << results_.Wait(1).status();
}

TEST_F(DeviceEngineTest, ModelThatTheCardCanNotRunEndsTheStartWithTheWayOut) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  kernels::gpu::emulator::SetSharedLimit(16 << 10);
  const absl::Status status = MakeEngine(OptionsFor(file.path())).status();
  kernels::gpu::emulator::SetSharedLimit(0);
  EXPECT_FALSE(status.ok());
  for (const char* says : {"shared memory", "another card", "--device=cpu"}) {
    EXPECT_NE(std::string(status.message()).find(says), std::string::npos) << status;
  }
}

TEST_F(DeviceEngineTest, TooLittleMemoryIsResourceExhausted) {
  const TemporaryFile file(DeviceChatModel().Bytes());
  kernels::gpu::emulator::SetMemoryLimit(kernels::gpu::emulator::MemoryInUse() + (1 << 20));
  const absl::Status status = MakeEngine(OptionsFor(file.path())).status();
  kernels::gpu::emulator::SetMemoryLimit(-1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}
#endif

}  // namespace
}  // namespace engine
