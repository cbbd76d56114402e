// Thousands of random requests from several threads against a live engine over a real, tiny model, whose pool is too
// small for them and one of whose tokens is poison.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libs/engine/make_engine.h"
#include "libs/unicode/utf8.h"
#include "tests/libs/engine/random_requests.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {
namespace {

constexpr int kThreads = 3;  // that submit
constexpr int kControls = 24;
constexpr std::chrono::microseconds kPoll{200};
constexpr std::int64_t kBlocks = 96;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRequestsDefault = 1'000;  // fewer might meet no poison
#else
constexpr int kRequestsDefault = 12'500;  // a fifth finds the queue full
#endif

std::uint64_t NumberFrom(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Numbers {
  const char* activations;
  const char* kv;
};

EngineOptions OptionsFor(const std::string& path, const Numbers& numbers) {
  EngineOptions options;
  options.model_path = path;
  options.threads = 1;  // there are enough others here
  options.kv_blocks = kBlocks;
  options.block_size = 4;
  options.sequences_max = 8;
  options.queue_max = 24;
  options.step_tokens_max = 48;
  options.activations = numbers.activations;
  options.kv = numbers.kv;
  return options;
}

// A model in which the byte 'Z' has an embedding of NaN: whoever reads or says it has poisoned numbers from there on.
std::string PoisonedModel() {
  std::string bytes = TinyChatModel().Bytes();
  const auto parsed = tensor::GgufFile::Parse(tensor::AsBytes(bytes));
  const tensor::Tensor* embedding = (*parsed)->FindTensor("token_embd.weight");
  const std::size_t row =
      static_cast<std::size_t>(reinterpret_cast<const char*>(embedding->data.data()) - bytes.data()) +
      'Z' * embedding->row_bytes;
  for (std::size_t i = 0; i < embedding->row_bytes; i += 2) std::memcpy(bytes.data() + row + i, "\x00\x7e", 2);
  return bytes;
}

// Requests whose answers are known, because each was run alone.
class Controls {
 public:
  Controls(const std::string& path, const Numbers& numbers) {
    EngineOptions options = OptionsFor(path, numbers);
    options.sequences_max = 1;
    auto alone = MakeEngine(options);
    EXPECT_TRUE(alone.ok()) << alone.status();
    if (!alone.ok()) return;
    ResultCollector results;
    for (int i = 0; static_cast<int>(requests_.size()) < kControls && i < 10 * kControls; ++i) {
      GenerationRequest request =
          Ask(std::string(static_cast<std::size_t>(1 + i * 4 % 90), static_cast<char>('a' + i % 26)), 24);
      request.sampling = {
          .temperature = i % 4 == 0 ? 0.0F : 1.0F, .top_k = i % 3 * 20, .seed = static_cast<std::uint64_t>(i)};
      request.tenant = i % 2 == 0 ? "a" : "control";
      request.ignore_end_of_turn = i % 3 == 0;
      if (!(*alone)->Submit(request, results.For(i)).ok()) continue;
      auto result = results.Wait(i);
      if (!result.ok()) continue;  // it said the poison itself
      requests_.push_back(std::move(request));
      answers_.push_back(*std::move(result));
    }
  }

  const std::vector<GenerationRequest>& requests() const { return requests_; }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const GenerationRequest& request : requests_) texts.push_back(request.messages[0].content);
    return texts;
  }
  bool Same(std::size_t index, const absl::StatusOr<GenerationResult>& result) const {
    const GenerationResult& wanted = answers_[index];
    return result.ok() && result->text == wanted.text && result->finish_reason == wanted.finish_reason &&
           result->prompt_tokens == wanted.prompt_tokens && result->completion_tokens == wanted.completion_tokens;
  }

 private:
  std::vector<GenerationRequest> requests_;
  std::vector<GenerationResult> answers_;
};

// One thread's requests, and what came of each.
class Client {
 public:
  struct Tally {
    int submitted = 0, results = 0, cancelled = 0, late = 0, poisoned = 0, refused = 0, full = 0, controls = 0;
  };

  Client(Engine& engine, const Controls& controls, std::uint64_t seed)
      : engine_(engine), controls_(controls), texts_(controls.Texts()), random_(seed) {}

  void Run(int requests) {
    for (int i = 0; i < requests; ++i) {
      if (random_.OneIn(5)) {
        SubmitControl(random_.rng()() % controls_.requests().size());
      } else {
        SubmitRandom();
      }
    }
  }

  // REQUIRES: the engine is gone, so that nothing is called any more.
  const Tally& Judge() {
    for (const auto& outcome : outcomes_) {
      EXPECT_EQ(outcome->calls, outcome->accepted ? 1 : 0);
      if (outcome->accepted && outcome->result.has_value()) Judge(*outcome);
    }
    return tally_;
  }

 private:
  struct Outcome {
    std::optional<std::size_t> control;
    bool accepted = false;
    std::atomic<int> calls{0};
    std::optional<absl::StatusOr<GenerationResult>> result;  // written on the engine's thread, once
  };

  void Judge(const Outcome& outcome) {
    const absl::StatusOr<GenerationResult>& result = *outcome.result;
    if (outcome.control.has_value()) {
      EXPECT_TRUE(controls_.Same(*outcome.control, result))
          << "control " << *outcome.control << " " << result.status() << " " << (result.ok() ? result->text : "");
      ++tally_.controls;
    } else if (result.ok()) {
      EXPECT_TRUE(unicode::IsValidUtf8(result->text));
      ++(result->finish_reason == FinishReason::kCancelled ? tally_.cancelled : tally_.results);
    } else if (result.status().code() == absl::StatusCode::kDeadlineExceeded) {
      ++tally_.late;
    } else {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss) << result.status();
      ++tally_.poisoned;
    }
  }

  absl::StatusOr<SequenceId> Submit(const GenerationRequest& request, std::optional<std::size_t> control) {
    Outcome* const outcome = outcomes_.emplace_back(std::make_unique<Outcome>()).get();
    outcome->control = control;
    const auto id = engine_.Submit(request, [outcome](absl::StatusOr<GenerationResult> result) {
      if (outcome->calls.fetch_add(1) == 0) outcome->result.emplace(std::move(result));
    });
    outcome->accepted = id.ok();
    ++tally_.submitted;
    return id;
  }

  void SubmitRandom() {
    GenerationRequest request = random_.Next(texts_);
    std::atomic<int>* const watched = &watched_;
    if (random_.OneIn(4)) request.on_token = [watched](std::string_view text) { watched->fetch_add(!text.empty()); };
    const auto id = Submit(request, std::nullopt);
    if (id.ok()) {
      ids_.push_back(*id);
      if (random_.OneIn(6)) engine_.Cancel(*id);
      if (random_.OneIn(6)) engine_.Cancel(ids_[random_.rng()() % ids_.size()]);  // perhaps long over
      if (random_.OneIn(50)) engine_.Cancel(SequenceId(random_.rng()()));
    } else if (id.status().code() == absl::StatusCode::kResourceExhausted) {
      ++tally_.full;
      WaitForRoom();
    } else {
      ++tally_.refused;
      EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument) << id.status();
      EXPECT_FALSE(id.status().message().empty());
    }
  }

  void SubmitControl(std::size_t index) {
    for (;;) {
      const auto id = Submit(controls_.requests()[index], index);
      if (id.ok()) return;
      ASSERT_EQ(id.status().code(), absl::StatusCode::kResourceExhausted) << id.status();
      ++tally_.full;
      WaitForRoom();
    }
  }

  void WaitForRoom() {
    while (engine_.credit().sequences_free < kThreads) std::this_thread::sleep_for(kPoll);
  }

  Engine& engine_;
  const Controls& controls_;
  const std::vector<std::string> texts_;
  RandomRequests random_;
  std::vector<SequenceId> ids_;
  std::vector<std::unique_ptr<Outcome>> outcomes_;
  std::atomic<int> watched_{0};
  Tally tally_;
};

class RandomRequestsTest : public testing::TestWithParam<Numbers> {};

// Goal: whatever is asked, each request gets exactly one end or a clear refusal, none ends the process, and none
// changes a token of its neighbours. Method: among the random ones go controls whose answers are known, and must come
// out as they did alone.
TEST_P(RandomRequestsTest, EachGetsOneEndAndNeighboursKeepTheirTokens) {
  const std::uint64_t seed = NumberFrom("MESH_RANDOM_SEED", std::random_device{}());
  const auto requests = static_cast<int>(NumberFrom("MESH_RANDOM_REQUESTS", kRequestsDefault));
  std::printf("MESH_RANDOM_SEED=%llu\n", static_cast<unsigned long long>(seed));
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const TemporaryFile file(PoisonedModel());
  const Controls controls(file.path(), GetParam());
  ASSERT_EQ(controls.requests().size(), std::size_t{kControls});
  auto made = MakeEngine(OptionsFor(file.path(), GetParam()));
  ASSERT_TRUE(made.ok()) << made.status();
  std::unique_ptr<Engine> engine = *std::move(made);

  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    clients.push_back(std::make_unique<Client>(*engine, controls, seed + static_cast<std::uint64_t>(i)));
    threads.emplace_back(
        [client = clients.back().get(), requests] { client->Run((requests + kThreads - 1) / kThreads); });
  }
  for (std::thread& thread : threads) thread.join();
  const Credit all = Credit{.blocks_free = kBlocks, .sequences_free = 32};
  const auto patience = base::Clock::Real().Now() + std::chrono::minutes(2);
  while (engine->credit().sequences_free < all.sequences_free && base::Clock::Real().Now() < patience) {
    std::this_thread::sleep_for(kPoll);
  }
  EXPECT_EQ(engine->credit().sequences_free, all.sequences_free);
  EXPECT_TRUE(engine->alive());
  // What ended last is published a moment later than its place in the queue is free.
  while (engine->credit().blocks_free < all.blocks_free && base::Clock::Real().Now() < patience)
    std::this_thread::sleep_for(kPoll);
  EXPECT_EQ(engine->credit().blocks_free, all.blocks_free);
  EXPECT_GT(engine->stats().preemptions_total, 0) << "the pool is meant to be too small";
  engine.reset();

  Client::Tally sum;
  for (const auto& client : clients) {
    const Client::Tally& tally = client->Judge();
    sum.submitted += tally.submitted, sum.results += tally.results, sum.cancelled += tally.cancelled;
    sum.late += tally.late, sum.poisoned += tally.poisoned, sum.refused += tally.refused, sum.full += tally.full;
    sum.controls += tally.controls;
  }
  EXPECT_EQ(sum.submitted,
            sum.results + sum.cancelled + sum.late + sum.poisoned + sum.refused + sum.full + sum.controls);
  EXPECT_GT(sum.poisoned, 0);
  EXPECT_GT(sum.controls, requests / 10);
  std::printf(
      "%d requests: %d results, %d cancelled, %d late, %d poisoned, %d refused, %d found the queue full, "
      "%d controls\n",
      sum.submitted, sum.results, sum.cancelled, sum.late, sum.poisoned, sum.refused, sum.full, sum.controls);
}

INSTANTIATE_TEST_SUITE_P(Arithmetic, RandomRequestsTest,
                         testing::Values(Numbers{"int8", "f16"}, Numbers{"f32", "f16"}, Numbers{"int8", "q8"}),
                         [](const auto& numbers) {
                           return std::string(numbers.param.activations) + "_" + numbers.param.kv;
                         });

}  // namespace
}  // namespace engine
