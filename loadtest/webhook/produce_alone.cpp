#include "loadtest/webhook/produce_alone.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "libs/bus/group_lag.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/telemetry/metrics.h"

namespace loadtest {
namespace {

constexpr std::int32_t kInFlightMax = 10'000;  // half of the producer's queue
constexpr std::int32_t kKeys = 1000;           // as many conversations as the webhooks have
constexpr auto kPatience = std::chrono::seconds(10);

base::MonotonicTime In(base::Duration duration) { return base::Clock::Real().Now() + duration; }

absl::StatusOr<bus::Record> OneRecord(const bus::BusOptions& options, const std::string& topic) {
  const auto partitions = bus::PartitionsOf(options, topic, In(kPatience));
  if (!partitions.ok()) return partitions.status();
  std::optional<bus::Record> found;
  const absl::Status status = bus::ReadThrough(
      options, "loadtest", *partitions,
      [&](const bus::Record& record) {
        found = record;
        return false;
      },
      In(kPatience));
  if (!status.ok()) return status;
  if (!found) return absl::NotFoundError("the turns topic holds no record to write again");
  return *std::move(found);
}

}  // namespace

absl::StatusOr<ProduceAlone> MeasureProduceAlone(const bus::BusOptions& bus, std::int32_t linger_ms, double seconds) {
  const std::string topic = bus::TopicName(bus, bus::kTurns);
  const absl::StatusOr<bus::Record> sample = OneRecord(bus, topic);
  if (!sample.ok()) return sample.status();
  telemetry::Registry registry;
  auto producer = bus::Producer::Create(bus, {.linger_ms = linger_ms}, "loadtest", registry);
  if (!producer.ok()) return producer.status();

  ProduceAlone result;
  result.record_bytes = sample->key.size() + sample->value.size();
  for (const auto& [name, value] : sample->headers) result.record_bytes += name.size() + value.size();
  std::atomic<std::int64_t> persisted{0}, ended{0};
  std::int64_t begun = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  while (elapsed() < seconds) {
    if (begun - ended.load(std::memory_order_relaxed) >= kInFlightMax) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      continue;
    }
    // The key's length stays, and with it the record's.
    std::string number = std::to_string(begun++ % kKeys);
    std::string key = sample->key;
    key.replace(key.size() - std::min(key.size(), number.size()), number.size(), number);
    (*producer)->Produce(
        {.topic = topic, .partition = -1, .key = std::move(key), .value = sample->value, .headers = sample->headers},
        [&](const absl::StatusOr<bus::RecordPosition>& position) {
          if (position.ok()) persisted.fetch_add(1, std::memory_order_relaxed);
          ended.fetch_add(1, std::memory_order_relaxed);
        });
  }
  result.records = persisted.load();
  result.seconds = elapsed();
  if (absl::Status status = (*producer)->Flush(In(kPatience)); !status.ok()) return status;
  return result;
}

}  // namespace loadtest
