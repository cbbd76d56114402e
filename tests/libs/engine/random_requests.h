#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/engine/engine.h"

namespace engine {

// Requests as a careless or hostile client may send them: mostly good, each field now and then out of bounds, texts of
// any bytes. One generator's requests follow from its seed alone, but for deadlines, which are near the present.
class RandomRequests {
 public:
  explicit RandomRequests(std::uint64_t seed) : rng_(seed) {}

  std::mt19937_64& rng() { return rng_; }
  bool OneIn(unsigned n) { return rng_() % n == 0; }

  // `beginnings`: texts with which a prompt may begin, so that it shares blocks with others. REQUIRES: not empty.
  GenerationRequest Next(const std::vector<std::string>& beginnings) {
    using Real = std::numeric_limits<float>;
    constexpr float kNan = Real::quiet_NaN(), kInf = Real::infinity(), kTiny = Real::denorm_min();
    GenerationRequest request;
    request.messages = {{Role::kUser, Text(beginnings)}};
    if (OneIn(10)) request.messages.insert(request.messages.begin(), {Role::kSystem, "be brief"});
    if (OneIn(40)) request.messages.clear();
    if (OneIn(40)) request.messages.push_back({static_cast<Role>(rng_() % 5), "x"});
    request.tokens_max = Any<std::int32_t>({1, 5, 10, 30}, {-1, 0, 257, 1 << 30, 256, 200});
    request.tenant = Any<std::string>({"", "a", "b", std::string("a\0b", 3)}, {std::string(257, 't')});
    request.mode = Any<Mode>({Mode::kInstant, Mode::kThinking, Mode::kContemplating}, {static_cast<Mode>(7)});
    SamplingParams& sampling = request.sampling;
    sampling.temperature = Any({0.0F, 0.5F, 1.0F, 10.0F, kTiny}, {-1.0F, kNan, kInf, -kInf});
    sampling.top_k = Any({0, 1, 40, 259}, {260, -1, std::numeric_limits<std::int32_t>::min()});
    sampling.top_p = Any({1.0F, 0.9F, kTiny}, {0.0F, kNan, 1.1F, -kInf});
    sampling.min_p = Any({0.0F, 0.05F, 0.999F}, {1.0F, kNan, -kTiny});
    sampling.repetition_penalty = Any({1.0F, 1.3F, 10.0F, kTiny}, {0.0F, kNan, kInf});
    sampling.seed = rng_();
    request.stop.assign(rng_() % 3, Any<std::string>({"e", "\n\n", "ab"}, {"", "\xff", std::string(257, 's')}));
    if (OneIn(100)) request.stop.assign(17, "s");
    request.ignore_end_of_turn = OneIn(4);
    if (OneIn(6))
      request.branches = Any<std::int32_t>({2, 3, 8}, {-1, 0, 9, 17, std::numeric_limits<std::int32_t>::max()});
    if (OneIn(8)) request.deadline = base::Clock::Real().Now() + std::chrono::milliseconds(rng_() % 20);
    return request;
  }

 private:
  // One of the good values; one time in forty, one of the bad.
  template <typename T>
  T Any(std::initializer_list<T> good, std::initializer_list<T> bad) {
    const std::initializer_list<T>& from = OneIn(40) ? bad : good;
    return from.begin()[rng_() % from.size()];
  }

  std::string Text(const std::vector<std::string>& beginnings) {
    std::string text = OneIn(4) ? beginnings[rng_() % beginnings.size()] : std::string();
    const auto size = Any<std::size_t>({1, 3, 10, 30, 60, 120}, {0, 200, 237, 250, 400, 1 << 16});
    const bool any_bytes = OneIn(3);
    while (text.size() < size) text.push_back(static_cast<char>(any_bytes ? rng_() : 'a' + rng_() % 26));
    return text;
  }

  std::mt19937_64 rng_;
};

}  // namespace engine
