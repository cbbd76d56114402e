#include "kernels/primitives/gpu/collectives.h"

#include <thread>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

// Runs `body(rank, communicator)` on a thread for each rank of a group. On a card the group has one rank, because tests
// must pass where there is one card.
template <typename Body>
void ForEachRank(std::int32_t ranks, const Body& body) {
  CommunicatorId id;
  const LaunchResult made = MakeCommunicatorId(&id);
  if (made.code() == LaunchResult::Code::kNoDevice) GTEST_SKIP() << made.message();  // a card without NCCL
  ASSERT_LAUNCHED(made);
  std::vector<std::thread> threads;
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ASSERT_LAUNCHED(SetDevice(rank));
      Communicator* communicator = nullptr;
      ASSERT_LAUNCHED(MakeCommunicator(id, rank, ranks, &communicator));
      body(rank, communicator);
      DestroyCommunicator(communicator);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

#if defined(GPU_EMULATOR)
constexpr std::int32_t kRanks[] = {1, 2, 4, 8};
#else
constexpr std::int32_t kRanks[] = {1};
#endif

TEST(CollectivesTest, EveryRankGetsTheSumOfAll) {
  for (std::int32_t ranks : kRanks) {
    ForEachRank(ranks, [&](std::int32_t rank, Communicator* communicator) {
      const float own = static_cast<float>(1 << rank);
      DeviceArray<float> values(std::vector<float>{own, 2 * own, -own});
      for (int repeat = 0; repeat < 3; ++repeat) {
        ASSERT_LAUNCHED(AllReduceSum(communicator, values.get(), 3, nullptr));
      }
      const float sum = static_cast<float>((1 << ranks) - 1) * static_cast<float>(ranks * ranks);
      EXPECT_EQ(values.Read(), (std::vector<float>{sum, 2 * sum, -sum}));
    });
  }
}

TEST(CollectivesTest, EveryRankGetsWhatEachSent) {
  for (std::int32_t ranks : kRanks) {
    ForEachRank(ranks, [&](std::int32_t rank, Communicator* communicator) {
      DeviceArray<std::int32_t> sent(std::vector<std::int32_t>{rank, 10 * rank});
      DeviceArray<std::int32_t> received(static_cast<std::size_t>(2 * ranks));
      ASSERT_LAUNCHED(AllGather(communicator, sent.get(), received.get(), 8, nullptr));
      std::vector<std::int32_t> expected;
      for (std::int32_t from = 0; from < ranks; ++from) expected.insert(expected.end(), {from, 10 * from});
      EXPECT_EQ(received.Read(), expected);
    });
  }
}

TEST(CollectivesTest, TakePartInGraphs) {
  for (std::int32_t ranks : kRanks) {
    ForEachRank(ranks, [&](std::int32_t, Communicator* communicator) {
      Stream stream;
      ASSERT_LAUNCHED(CreateStream(&stream));
      DeviceArray<float> values(std::vector<float>{1.0F});
      Graph graph;
      ASSERT_LAUNCHED(BeginCapture(stream));
      ASSERT_LAUNCHED(AllReduceSum(communicator, values.get(), 1, stream));
      ASSERT_LAUNCHED(EndCapture(stream, &graph));
      ASSERT_LAUNCHED(StartGraph(graph, stream));
      ASSERT_LAUNCHED(StartGraph(graph, stream));
      ASSERT_LAUNCHED(Synchronize(stream));
      EXPECT_EQ(values.Read()[0], static_cast<float>(ranks * ranks));
      DestroyGraph(graph);
      DestroyStream(stream);
    });
  }
}

TEST(CollectivesTest, WhatCanNotBeSentIsRefused) {
  DeviceArray<float> values(std::vector<float>(2));
  EXPECT_REFUSED(AllReduceSum(nullptr, values.get(), 1, nullptr));
  EXPECT_REFUSED(AllGather(nullptr, values.get(), values.get() + 1, 4, nullptr));
  ForEachRank(1, [&](std::int32_t, Communicator* communicator) {
    EXPECT_REFUSED(AllReduceSum(communicator, values.get(), -1, nullptr));
    EXPECT_REFUSED(AllReduceSum(communicator, nullptr, 1, nullptr));
    EXPECT_REFUSED(AllReduceSum(communicator, Misaligned(values.get()), 1, nullptr));
    EXPECT_REFUSED(AllGather(communicator, nullptr, values.get(), 4, nullptr));
    EXPECT_REFUSED(AllGather(communicator, values.get(), nullptr, 4, nullptr));
    EXPECT_REFUSED(AllGather(communicator, values.get(), values.get(), -1, nullptr));
  });
}

TEST(CollectivesTest, ImpossibleGroupsAreRefused) {
  CommunicatorId id{};
  Communicator* communicator = nullptr;
  EXPECT_REFUSED(MakeCommunicator(id, 0, kRanksMax + 1, &communicator));
  EXPECT_REFUSED(MakeCommunicator(id, 2, 2, &communicator));
  EXPECT_REFUSED(MakeCommunicator(id, -1, 2, &communicator));
}

}  // namespace
}  // namespace kernels::gpu
