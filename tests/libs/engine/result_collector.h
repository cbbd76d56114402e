#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "absl/status/statusor.h"
#include "libs/engine/engine.h"

namespace engine {

// Receives callbacks on the engine's thread and lets the test wait for them.
class ResultCollector {
 public:
  // A callback that stores its result under `key`; calling it twice fails the wait for it.
  ResultCallback For(int key) {
    return [this, key](absl::StatusOr<GenerationResult> result) {
      std::lock_guard lock(mutex_);
      const bool first = results_.emplace(key, std::move(result)).second;
      if (!first) results_.insert_or_assign(key, absl::InternalError("the callback came twice"));
      changed_.notify_all();
    };
  }

  // The result of `key`, or Internal when none came within 60 s.
  absl::StatusOr<GenerationResult> Wait(int key) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(60), [&] { return results_.contains(key); });
    if (!came) return absl::InternalError("no result within 60 s");
    return results_.at(key);
  }

  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return results_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, absl::StatusOr<GenerationResult>> results_;
};

inline GenerationRequest Ask(std::string text, std::int32_t tokens_max = 256) {
  GenerationRequest request;
  request.tenant = "tenant";
  request.messages = {{Role::kUser, std::move(text)}};
  request.tokens_max = tokens_max;
  return request;
}

}  // namespace engine
