#include "libs/bus/internal/broker_health.h"

#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/base/str_cat.h"

namespace bus::internal {
namespace {

constexpr std::chrono::milliseconds kAskInterval(1000);
constexpr int kAnswerTimeoutMs = 2000;

std::int64_t NowMs() { return base::ToMs(base::Clock::Real().Now().time_since_epoch()); }

}  // namespace

BrokerHealth::BrokerHealth(std::string brokers) : brokers_(std::move(brokers)) {}

void BrokerHealth::Watch(rd_kafka_t* client) {
  CHECK(!thread_.joinable());
  {
    std::lock_guard lock(mutex_);
    stopping_ = false;
    ask_now_ = true;
  }
  thread_ = std::thread([this, client] { Run(client); });
}

void BrokerHealth::Unwatch() {
  if (!thread_.joinable()) return;
  StopAsking();
  thread_.join();
}

void BrokerHealth::StopAsking() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

void BrokerHealth::NoteSuccess() {
  last_success_ms_.store(NowMs(), std::memory_order_relaxed);
  state_.store(State::kUp, std::memory_order_relaxed);
}

void BrokerHealth::NoteAllDown() {
  state_.store(State::kDown, std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    ask_now_ = true;  // closing the last idle connection looks the same; the answer tells
  }
  wake_.notify_all();
}

absl::Status BrokerHealth::status() const {
  switch (state_.load(std::memory_order_relaxed)) {
    case State::kUp:
      return absl::OkStatus();
    case State::kUnknown:
      return absl::UnavailableError(base::StrCat("no answer yet from the Kafka brokers at ", brokers_));
    case State::kDown:
      break;
  }
  return absl::UnavailableError(base::StrCat("no Kafka broker answers at ", brokers_, " (kafka-brokers)"));
}

void BrokerHealth::Run(rd_kafka_t* client) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool quiet = NowMs() - last_success_ms_.load(std::memory_order_relaxed) >= kAskInterval.count();
    if (ask_now_ || quiet) {
      ask_now_ = false;
      lock.unlock();
      const struct rd_kafka_metadata* metadata = nullptr;
      const rd_kafka_resp_err_t error =
          rd_kafka_metadata(client, /*all_topics=*/0, nullptr, &metadata, kAnswerTimeoutMs);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        NoteSuccess();
      } else {
        state_.store(State::kDown, std::memory_order_relaxed);
      }
      lock.lock();
    }
    wake_.wait_for(lock, kAskInterval, [this] { return stopping_ || ask_now_; });
  }
}

}  // namespace bus::internal
