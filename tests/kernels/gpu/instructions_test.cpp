#include "kernels/quant/half.h"
#include "tests/kernels/gpu/gpu_test.h"
#include "tests/kernels/gpu/instruction_kernels.h"

// Goal: what kernels are built of does on the emulator what it does on a card.
// Method: one expectation, computed here without either, held against whichever the build links.
namespace kernels::gpu {
namespace {

class InstructionsTest : public GpuTest {};

TEST_F(InstructionsTest, ConversionsGiveTheSameCodesOnTheDeviceAsOnTheHost) {
  std::vector<float> x = Random(4000, 30.0F);
  for (float tie = 1.0F; tie < 500.0F; tie += 0.0625F) x.push_back(tie);
  for (const float special : {0.0F, -0.0F, 1e-9F, -1e-9F, 0x1p-10F, 0x1p-9F, 0x3p-11F, 448.0F, 464.0F, 1e30F, -1e30F,
                              std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max()}) {
    x.push_back(special);
  }
  const DeviceArray<float> in(x), from_fp8(x.size());
  const DeviceArray<Bf16> bf16(x.size());
  const DeviceArray<std::uint32_t> packed(x.size());
  const DeviceArray<Fp8> fp8(x.size());
  ASSERT_LAUNCHED(ConvertFormats(in.get(), static_cast<int>(x.size()), bf16.get(), packed.get(), fp8.get(),
                                 from_fp8.get(), nullptr));
  const auto got_bf16 = bf16.Read();
  const auto got_packed = packed.Read();
  const auto got_fp8 = fp8.Read();
  const auto got_from = from_fp8.Read();
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(got_bf16[i].bits, ToBf16(x[i]).bits) << x[i];
    EXPECT_EQ(got_packed[i], PackBf16(x[i], -x[i])) << x[i];
    EXPECT_EQ(int{got_fp8[i].bits}, int{ToFp8(x[i]).bits}) << x[i];
    const float wide = ToFloat(Fp8{static_cast<std::uint8_t>(i)});
    if (wide == wide) {
      EXPECT_EQ(FloatToBits(got_from[i]), FloatToBits(wide)) << i;
    } else {
      EXPECT_NE(got_from[i], got_from[i]) << i;
    }
  }
}

template <typename Widen>
void ExpectProduct(const std::vector<std::uint16_t>& a, const std::vector<std::uint16_t>& b,
                   const std::vector<float>& before, const std::vector<float>& after, Widen widen) {
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      double sum = before[row * 8 + column];
      for (std::size_t k = 0; k < 16; ++k) sum += double{widen(a[row * 16 + k])} * widen(b[k * 8 + column]);
      EXPECT_NEAR(after[row * 8 + column], sum, 2e-5) << row << ", " << column;
    }
  }
}

TEST_F(InstructionsTest, MatrixInstructionsComputeAPlainProduct) {
  std::vector<std::uint16_t> a, b;
  for (const float value : Random(16 * 16)) a.push_back(ToBf16(value).bits);
  for (const float value : Random(16 * 8)) b.push_back(ToBf16(value).bits);
  const std::vector<float> before = Random(16 * 8);
  const DeviceArray<std::uint16_t> in_a(a), in_b(b);
  ForEachSchedule([&] {
    const DeviceArray<float> d(before);
    ASSERT_LAUNCHED(ProductBf16(in_a.get(), in_b.get(), d.get(), nullptr));
    ExpectProduct(a, b, before, d.Read(), [](std::uint16_t bits) { return ToFloat(Bf16{bits}); });
  });
  for (std::uint16_t& value : a) value = FloatToHalf(ToFloat(Bf16{value}));
  for (std::uint16_t& value : b) value = FloatToHalf(ToFloat(Bf16{value}));
  const DeviceArray<std::uint16_t> half_a(a), half_b(b);
  const DeviceArray<float> d(before);
  ASSERT_LAUNCHED(ProductF16(half_a.get(), half_b.get(), d.get(), nullptr));
  ExpectProduct(a, b, before, d.Read(), HalfToFloat);
}

TEST_F(InstructionsTest, ShufflesReadTheLaneThatTheyName) {
  std::vector<int> x(32);
  for (int lane = 0; lane < 32; ++lane) x[static_cast<std::size_t>(lane)] = lane * lane + 1;
  // CUDA C++ Programming Guide, "Warp Shuffle Functions": a source outside of the segment gives the own value; an index
  // wraps within it.
  const auto source = [](int which, int lane) {
    const auto up = [lane](int delta, int width) { return lane % width >= delta ? lane - delta : lane; };
    const auto down = [lane](int delta, int width) { return lane % width + delta < width ? lane + delta : lane; };
    switch (which) {
      case 0:
        return 5;
      case 1:
        return (lane * 7 + 3) % 32;
      case 2:
        return lane / 8 * 8 + 1;
      case 3:
        return up(3, 32);
      case 4:
        return up(5, 16);
      case 5:
        return down(7, 32);
      case 6:
        return down(2, 4);
      case 7:
        return lane ^ 21;
      case 8:
        return lane ^ 3;
      case 9:
        return (lane ^ 12) > (lane | 7) ? lane : lane ^ 12;
      case 10:
        return lane ^ 1;
      default:
        return (30 - lane + 32) % 32;
    }
  };
  const DeviceArray<int> in(x);
  ForEachSchedule([&] {
    const DeviceArray<int> out(kShuffles * 32);
    ASSERT_LAUNCHED(Shuffles(in.get(), out.get(), nullptr));
    const std::vector<int> y = out.Read();
    for (int which = 0; which < kShuffles; ++which) {
      for (int lane = 0; lane < 32; ++lane) {
        EXPECT_EQ(y[static_cast<std::size_t>(which * 32 + lane)], x[static_cast<std::size_t>(source(which, lane))])
            << "shuffle " << which << ", lane " << lane;
      }
    }
  });
}

TEST_F(InstructionsTest, VotesCountTheLanesOfTheirMaskAlone) {
  std::vector<int> x(32);
  for (int& value : x) value = static_cast<int>(rng_() % 200) - 100;
  const DeviceArray<int> in(x);
  for (const unsigned mask : {0xFFFFFFFFU, 0x80000001U, 0xF0F0A5A5U}) {
    ForEachSchedule([&] {
      const DeviceArray<int> out(kVotes * 32);
      ASSERT_LAUNCHED(Votes(in.get(), mask, out.get(), nullptr));
      const std::vector<int> y = out.Read();
      unsigned ballot = 0, max_unsigned = 0, all_or = 0;
      int sum = 0, most = -1000, least = 1000;
      for (unsigned lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1U) == 0) continue;
        const int value = x[lane];
        ballot |= (value > 0 ? 1U : 0U) << lane;
        sum += value;
        most = std::max(most, value);
        least = std::min(least, value);
        max_unsigned = std::max(max_unsigned, static_cast<unsigned>(value));
        all_or |= static_cast<unsigned>(value);
      }
      const int expected[kVotes] = {static_cast<int>(ballot), 1,    1, sum, most, least, static_cast<int>(max_unsigned),
                                    static_cast<int>(all_or), x[31]};
      for (unsigned i = 0; i < kVotes * 32; ++i) {
        const bool in_mask = (mask >> i % 32 & 1U) != 0;
        EXPECT_EQ(y[i], in_mask ? expected[i / 32] : 0)
            << "vote " << i / 32 << ", lane " << i % 32 << ", mask " << mask;
      }
    });
  }
}

TEST_F(InstructionsTest, BlockSumsAddEveryThread) {
  for (const int threads : {32, 64, 1024}) {
    std::vector<float> x(static_cast<std::size_t>(threads) * 3);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 100);  // sums are exact
    const DeviceArray<float> in(x);
    ForEachSchedule([&] {
      const DeviceArray<float> out(3);
      ASSERT_LAUNCHED(SumBlocks(in.get(), threads, 3, out.get(), nullptr));
      const std::vector<float> y = out.Read();
      for (std::size_t block = 0; block < 3; ++block) {
        float sum = 0;
        for (std::size_t i = 0; i < x.size() / 3; ++i) sum += x[block * x.size() / 3 + i];
        EXPECT_EQ(y[block], sum) << threads << " threads, block " << block;
      }
    });
  }
}

TEST_F(InstructionsTest, BarriersCountLiveThreads) {
  for (const int live : {1, 31, 32, 33, 100}) {
    ForEachSchedule([&] {
      const DeviceArray<int> out(100);
      ASSERT_LAUNCHED(CountBarrier(live, out.get(), nullptr));
      const std::vector<int> counts = out.Read();
      for (int i = 0; i < 100; ++i)
        EXPECT_EQ(counts[static_cast<std::size_t>(i)], i < live ? (live + 1) / 2 : -1) << live;
    });
  }
}

TEST_F(InstructionsTest, AsynchronousCopiesArriveByTheirWait) {
  for (const std::size_t count : {std::size_t{4}, std::size_t{512}, std::size_t{1500}, std::size_t{2560}}) {
    const std::vector<float> x = Random(count);
    const DeviceArray<float> in(x);
    ForEachSchedule([&] {
      const DeviceArray<float> out(5 * 512);
      ASSERT_LAUNCHED(CopyThroughShared(in.get(), static_cast<std::int64_t>(count), 5, out.get(), nullptr));
      std::vector<float> expected = x;
      expected.resize(5 * 512, 0.0F);
      EXPECT_EQ(out.Read(), expected) << count;
    });
  }
}

TEST_F(InstructionsTest, IntrinsicsGiveWhatTheCudaManualSays) {
  const DeviceArray<unsigned> out(kIntrinsics);
  ASSERT_LAUNCHED(Intrinsics(0x81F2037CU, 0x7F80FE05U, 2.5F, out.get(), nullptr));
  // From the definitions in the CUDA Math API reference, computed with unbounded integers.
  const std::pair<const char*, unsigned> expected[kIntrinsics] = {
      {"__popc", 0x0000000EU},
      {"__clz", 0x00000000U},
      {"__ffs", 0x00000003U},
      {"__brev", 0x3EC04F81U},
      {"__byte_perm", 0x818003FEU},
      {"__funnelshift_l", 0xF01FC0B0U},
      {"__funnelshift_r", 0x2C0F901BU},
      {"__umulhi", 0x40B889ACU},
      {"__mulhi", 0xC1378BA7U},
      {"__mul24", 0x612F196CU},
      {"__dp4a signed", 0xFFFFCA70U},
      {"__dp4a unsigned", 0x0000BE70U},
      {"__vadd4", 0x00720181U},
      {"__vsub4", 0x02720577U},
      {"__float2int_rn", 0x00000002U},
      {"__float2int_rz", 0xFFFFFFFEU},
      {"__float2int_rd", 0xFFFFFFFDU},
      {"of NaN", 0x00000000U},
      {"of 1e20", 0x7FFFFFFFU},
      {"__float2uint_rn", 0x00000000U},
      {"rsqrtf", 0x3F000000U},
      {"fmaxf of NaN", 0x40000000U},
      {"min", 0x81F2037CU},
      {"max", 0x81F2037CU},
  };
  const std::vector<unsigned> y = out.Read();
  for (std::size_t i = 0; i < kIntrinsics; ++i) EXPECT_EQ(y[i], expected[i].second) << expected[i].first;
}

TEST_F(InstructionsTest, AtomicOperationsLoseNothing) {
  ForEachSchedule([&] {
    const DeviceArray<AtomicCounters> counters(std::vector<AtomicCounters>(1));
    ASSERT_LAUNCHED(Atomics(counters.get(), nullptr));
    const AtomicCounters got = counters.Read()[0];
    EXPECT_EQ(got.sum, 1023 * 512 - 100 * 1024);
    EXPECT_EQ(got.max, 1023U);
    EXPECT_EQ(got.inc, 1024U % 100);
    EXPECT_EQ(got.float_sum, 512.0F);
    EXPECT_EQ(got.exchanged_or, ~0ULL);
    EXPECT_EQ(got.swaps, 2048);
  });
}

TEST_F(InstructionsTest, TheLastBlockSeesWhatTheOthersWrote) {
  std::vector<float> x(7 * 256);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 64);
  const DeviceArray<float> in(x), parts(7);
  const DeviceArray<unsigned> arrived(std::vector<unsigned>{0});
  ForEachSchedule([&] {
    const DeviceArray<float> out(1);
    ASSERT_LAUNCHED(SumByLastBlock(in.get(), 7, parts.get(), arrived.get(), out.get(), nullptr));
    EXPECT_EQ(out.Read()[0], 28.0F * 63 * 32);
    EXPECT_EQ(arrived.Read()[0], 0U);
  });
}

TEST_F(InstructionsTest, AKernelThatStartsEarlyWaitsForItsPredecessor) {
  const std::vector<float> x = Random(100'000);
  const DeviceArray<float> in(x), y(x.size()), z(x.size());
  Stream stream;
  ASSERT_LAUNCHED(CreateStream(&stream));
  ASSERT_LAUNCHED(TwoOverlapping(in.get(), static_cast<int>(x.size()), y.get(), z.get(), stream));
  ASSERT_LAUNCHED(Synchronize(stream));
  DestroyStream(stream);
  const std::vector<float> got = z.Read();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(got[i], (x[i] + 1.0F) * 2.0F) << i;
}

TEST_F(InstructionsTest, EveryThreadOfAThreeDimensionalLaunchRunsOnce) {
  const unsigned blocks = kPlaces[0] * kPlaces[1] * kPlaces[2], threads = kPlaces[3] * kPlaces[4] * kPlaces[5];
  ForEachSchedule([&] {
    const DeviceArray<unsigned> out(std::size_t{blocks} * threads);
    ASSERT_LAUNCHED(Places(out.get(), nullptr));
    const std::vector<unsigned> y = out.Read();
    for (unsigned i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], i / threads * 1000 + i % threads);
  });
}

}  // namespace
}  // namespace kernels::gpu
