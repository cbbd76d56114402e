// What a turn costs in Redis: the figures of libs/session/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "libs/redis/script.h"
#include "libs/session/internal/keys.h"
#include "libs/session/internal/scripts.h"
#include "tests/integration/harness/wait.h"
#include "tests/libs/session/session_fixture.h"

namespace session {
namespace {

class MemoryTest : public StoreFixture {
 protected:
  // A number of Redis's INFO.
  std::int64_t Info(const std::string& section, const std::string& name) {
    const std::string info = Redis({"INFO", section}).text;
    const std::size_t at = info.find("\n" + name + ":");
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? 0 : std::stoll(info.substr(at + name.size() + 2));
  }

  // While the disk is slow, what was written waits in memory for the append-only file: neither figure is right then.
  void WaitForAppendOnlyFile() {
    EXPECT_TRUE(
        harness::WaitUntil([&] { return Info("persistence", "aof_buffer_length") == 0; }, std::chrono::seconds(30)));
  }

  std::int64_t UsedMemory() {
    WaitForAppendOnlyFile();
    return Info("memory", "used_memory");
  }

  // Marks `count` turns as finished, a thousand in each round trip.
  void MarkDone(int count) {
    const internal::Scripts scripts;
    for (int next = 0; next < count;) {
      std::vector<redis::ScriptCall> calls;
      for (; next < count && calls.size() < 1000; ++next) {
        const std::string id = TurnIdOf("done " + std::to_string(next));
        calls.push_back({&scripts.mark_done,
                         internal::DoneShardKeys("mesh", id, options_.done_shards),
                         {std::string(internal::DoneDigest(id)), "48", "694800"}});
      }
      auto lease = pool_->Acquire(Soon());
      ASSERT_TRUE(lease.ok());
      ASSERT_TRUE(redis::RunScripts(*lease, calls, Soon()).ok());
    }
  }

  void Report(const std::string& what, double bytes) {
    std::cout << what << ": " << bytes << " bytes\n";
    RecordProperty(what, std::to_string(bytes));
  }
};

// Redis reserves up to twice what an appended string holds, so the cost depends on how full that is: the mean over
// sizes from just before to just after a doubling is what a large population costs.
TEST_F(MemoryTest, FinishedTurnCostsUnder32BytesWhenShardsAreWellFilled) {
  constexpr int kShards = 64;
  options_.done_shards = kShards;
  double sum = 0;
  int sizes = 0;
  for (const int in_each : {130, 150, 170, 190, 210, 230, 250}) {
    Redis({"FLUSHALL"});
    MarkDone(1);  // the script itself
    const std::int64_t before = UsedMemory();
    MarkDone(kShards * in_each);
    const double each = static_cast<double>(UsedMemory() - before) / (kShards * in_each);
    EXPECT_GT(each, 16) << "an entry has 16 bytes: the measurement is broken";
    sum += each;
    ++sizes;
  }
  Report("finished turn, 130 to 250 a string", sum / sizes);
  EXPECT_LT(sum / sizes, 32);
}

// What a write adds to the append-only file and to replicas must not grow with the shard.
TEST_F(MemoryTest, FinishedTurnAddsLittleToTheAppendOnlyFile) {
  options_.done_shards = 1;
  const auto file_bytes = [&] {
    WaitForAppendOnlyFile();
    return Info("persistence", "aof_current_size");
  };
  MarkDone(1000);
  const auto before = file_bytes();
  MarkDone(2000);  // the first 1,000 are known
  const double each = static_cast<double>(file_bytes() - before) / 1000;
  Report("append-only file, a finished turn", each);
  EXPECT_LT(each, 300);
  EXPECT_GT(each, 16);
}

TEST_F(MemoryTest, FinishedTurnCostsUnder200BytesWhenItIsAloneInItsShard) {
  constexpr int kTurns = 4000;
  options_.done_shards = 65536;
  MarkDone(1);
  const std::int64_t before = UsedMemory();
  MarkDone(kTurns);
  const double each = static_cast<double>(UsedMemory() - before) / kTurns;
  Report("finished turn, nearly alone in its shard", each);
  EXPECT_LT(each, 200);
}

TEST_F(MemoryTest, StoredTurnCostsLittleBesideItsText) {
  constexpr int kConversations = 200;
  constexpr int kTurns = 10;
  const std::string text(400, 'x');
  const auto write = [&](int conversation) {
    for (int at = 0; at < kTurns; ++at) {
      v1::HistoryTurn turn = TurnAt(at, at, text);
      turn.set_user_text(text);
      turn.set_turn_id(TurnIdOf(std::to_string(conversation) + "/" + std::to_string(at)));
      Append(Conversation(std::to_string(conversation)), turn);
    }
  };
  write(0);
  const std::int64_t before = UsedMemory();
  for (int conversation = 1; conversation <= kConversations; ++conversation) write(conversation);
  const double each = static_cast<double>(UsedMemory() - before) / (kConversations * kTurns);
  Report("turn of a 10-turn conversation with 800 bytes of text, finished mark included", each);
  EXPECT_LT(each, 800 + 500);
}

}  // namespace
}  // namespace session
