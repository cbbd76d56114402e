#include "services/sender/parked_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sender {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A log whose records and ends come when the test says so.
class ScriptedLog final : public bus::LogReader {
 public:
  ScriptedLog(OnRecord on_record, OnEnd on_end) : on_record_(std::move(on_record)), on_end_(std::move(on_end)) {}

  void Add(const bus::TopicPartition& partition, std::int64_t from_offset) override {
    reading_.push_back(std::to_string(partition.partition) + " from " + std::to_string(from_offset));
  }
  void Remove(const bus::TopicPartition& partition) override {
    reading_.push_back(std::to_string(partition.partition) + " no more");
  }
  absl::StatusOr<Watermarks> QueryWatermarks(const bus::TopicPartition&, base::MonotonicTime) override {
    return absl::UnimplementedError("not asked for");
  }

  void Bring(std::int32_t partition, std::int64_t offset) const {
    bus::Record record;
    record.partition = partition;
    record.offset = offset;
    on_record_(std::move(record));
  }
  void End(std::int32_t partition, std::int64_t end_offset) const { on_end_({"mesh.parked", partition}, end_offset); }
  const std::vector<std::string>& reading() const { return reading_; }

 private:
  const OnRecord on_record_;
  const OnEnd on_end_;
  std::vector<std::string> reading_;
};

class ParkedReaderTest : public testing::Test {
 protected:
  ParkedReaderTest() {
    auto parked =
        ParkedReader::OpenForTest({}, &loop_, [this](bus::LogReader::OnRecord on_record, bus::LogReader::OnEnd on_end) {
          auto log = std::make_unique<ScriptedLog>(std::move(on_record), std::move(on_end));
          log_ = log.get();
          return absl::StatusOr<std::unique_ptr<bus::LogReader>>(std::move(log));
        });
    parked_ = *std::move(parked);
  }
  ~ParkedReaderTest() override { loop_.Stop(); }

  struct Answer {
    int count = 0;
    absl::Status status;
    std::vector<std::int64_t> offsets;
  };
  void Read(std::int32_t partition, const std::vector<std::int64_t>& offsets, Answer* answer) {
    loop_.RunSync([&] {
      parked_->Read(partition, offsets, [answer](const ParkedReader::Copies& copies) {
        ++answer->count;
        answer->status = copies.status();
        if (!copies.ok()) return;
        for (const bus::Record& copy : *copies) answer->offsets.push_back(copy.offset);
      });
    });
  }
  void LetTheLoopRun() {
    loop_.RunSync([] {});
  }

  app::EventLoop loop_{64};
  ScriptedLog* log_ = nullptr;
  std::unique_ptr<ParkedReader> parked_;
};

TEST_F(ParkedReaderTest, TheLastCopyWantedEndsAReadingAndOnlyTheWantedAreKept) {
  Answer answer;
  Read(3, {5, 7}, &answer);
  for (const std::int64_t offset : {5, 6}) log_->Bring(3, offset);
  log_->Bring(4, 7);  // of another partition
  LetTheLoopRun();
  EXPECT_EQ(answer.count, 0);
  log_->Bring(3, 7);
  LetTheLoopRun();
  EXPECT_EQ(answer.count, 1);
  EXPECT_TRUE(answer.status.ok());
  EXPECT_THAT(answer.offsets, ElementsAre(5, 7));
  EXPECT_THAT(log_->reading(), ElementsAre("3 from 5", "3 no more"));
}

TEST_F(ParkedReaderTest, ARecordBehindTheLastEndsAReadingWithoutIt) {
  Answer answer;
  Read(3, {5, 7}, &answer);
  for (const std::int64_t offset : {5, 8}) log_->Bring(3, offset);
  LetTheLoopRun();
  EXPECT_THAT(answer.offsets, ElementsAre(5));
}

// Goal: a partition that goes away and comes back while a reading hangs (the leader of `parked` is away) is read for
// its new owner; it was a crash.
TEST_F(ParkedReaderTest, ANewReadingOfAPartitionTakesThePlaceOfTheOld) {
  Answer old;
  Answer answer;
  Read(3, {5, 7}, &old);
  log_->Bring(3, 5);
  Read(3, {7, 9}, &answer);
  LetTheLoopRun();
  EXPECT_EQ(old.count, 1);
  EXPECT_TRUE(absl::IsCancelled(old.status));
  for (const std::int64_t offset : {7, 8, 9}) log_->Bring(3, offset);
  LetTheLoopRun();
  EXPECT_EQ(old.count, 1);
  EXPECT_EQ(answer.count, 1);
  EXPECT_THAT(answer.offsets, ElementsAre(7, 9));
  EXPECT_THAT(log_->reading(), ElementsAre("3 from 5", "3 from 7", "3 no more"));
}

// Goal: a copy that the topic does not hold any more, with none behind it, costs no deadline: its miss can be counted,
// and what was found is said.
TEST_F(ParkedReaderTest, TheEndOfTheTopicEndsAReadingWithWhatWasFound) {
  Answer answer;
  Read(3, {5, 7}, &answer);
  log_->Bring(3, 5);
  log_->End(4, 9);  // of another partition
  LetTheLoopRun();
  EXPECT_EQ(answer.count, 0);
  log_->End(3, 6);
  log_->End(3, 6);
  LetTheLoopRun();
  EXPECT_EQ(answer.count, 1);
  EXPECT_TRUE(answer.status.ok());
  EXPECT_THAT(answer.offsets, ElementsAre(5));

  Answer nothing;
  Read(3, {7}, &nothing);
  log_->End(3, 2);  // the topic was made anew
  LetTheLoopRun();
  EXPECT_EQ(nothing.count, 1);
  EXPECT_TRUE(nothing.status.ok());
  EXPECT_THAT(nothing.offsets, IsEmpty());
}

}  // namespace
}  // namespace sender
