#include "services/sender/parked_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/bus/topics.h"

namespace sender {
namespace {

constexpr base::Duration kDeadline = std::chrono::seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<ParkedReader>> ParkedReader::Open(const bus::BusOptions& bus, app::EventLoop* loop) {
  return OpenForTest(bus, loop, [&bus](bus::LogReader::OnRecord on_record, bus::LogReader::OnEnd on_end) {
    return bus::LogReader::Create(bus, "sender", std::move(on_record), std::move(on_end));
  });
}

absl::StatusOr<std::unique_ptr<ParkedReader>> ParkedReader::OpenForTest(const bus::BusOptions& bus,
                                                                        app::EventLoop* loop,
                                                                        const MakeReader& make_reader) {
  std::unique_ptr<ParkedReader> parked(new ParkedReader(bus, loop));
  ParkedReader* const raw = parked.get();
  absl::StatusOr<std::unique_ptr<bus::LogReader>> reader =
      make_reader([raw](bus::Record record) { raw->OnRead(std::move(record)); },
                  [raw](const bus::TopicPartition& partition, std::int64_t) { raw->OnEnd(partition.partition); });
  if (!reader.ok()) return reader.status();
  parked->reader_ = *std::move(reader);
  return parked;
}

ParkedReader::ParkedReader(const bus::BusOptions& bus, app::EventLoop* loop) : bus_(bus), loop_(loop) {}

void ParkedReader::Read(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                        std::function<void(Copies)> on_done) {
  CHECK(!offsets.empty());
  std::uint64_t number = 0;
  Request replaced;
  {
    std::lock_guard lock(mutex_);
    number = ++next_number_;
    replaced = std::exchange(requests_[partition], Request{number, offsets, {}, std::move(on_done)});
  }
  if (replaced.on_done != nullptr) {
    loop_->Post([on_done = std::move(replaced.on_done)] { on_done(absl::CancelledError("another reading began")); });
  }
  reader_->Add({bus::TopicName(bus_, bus::kParked), partition}, offsets.front());
  loop_->PostAfter(kDeadline, [this, partition, number] { GiveUp(partition, number); });
}

void ParkedReader::OnRead(bus::Record record) {
  const std::int32_t partition = record.partition;
  Request done;
  {
    std::lock_guard lock(mutex_);
    const auto request = requests_.find(partition);
    if (request == requests_.end()) return;
    const std::vector<std::int64_t>& wanted = request->second.offsets;
    const bool last = record.offset >= wanted.back();
    if (std::binary_search(wanted.begin(), wanted.end(), record.offset)) {
      request->second.found.push_back(std::move(record));
    }
    if (!last) return;
    done = std::move(request->second);
    requests_.erase(request);
  }
  Answer(partition, std::move(done.on_done), std::move(done.found));
}

void ParkedReader::OnEnd(std::int32_t partition) {
  Request done;
  {
    std::lock_guard lock(mutex_);
    const auto request = requests_.find(partition);
    if (request == requests_.end()) return;
    done = std::move(request->second);
    requests_.erase(request);
  }
  Answer(partition, std::move(done.on_done), std::move(done.found));
}

void ParkedReader::GiveUp(std::int32_t partition, std::uint64_t number) {
  Request late;
  {
    std::lock_guard lock(mutex_);
    const auto request = requests_.find(partition);
    if (request == requests_.end() || request->second.number != number) return;
    late = std::move(request->second);
    requests_.erase(request);
  }
  Answer(
      partition, std::move(late.on_done),
      absl::DeadlineExceededError(base::StrCat("of ", late.offsets.size(), " records ", late.found.size(), " came")));
}

void ParkedReader::Answer(std::int32_t partition, std::function<void(Copies)> on_done, Copies copies) {
  reader_->Remove({bus::TopicName(bus_, bus::kParked), partition});
  loop_->Post([on_done = std::move(on_done), copies = std::move(copies)] { on_done(copies); });
}

}  // namespace sender
