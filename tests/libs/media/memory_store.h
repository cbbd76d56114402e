#pragma once

#include <map>
#include <mutex>
#include <string>

#include "libs/media/store.h"

namespace media {

// A store whose content tests look at, by path, and which can be made to fail.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::map<std::string, std::string>* files) : files_(files) {}

  absl::Status put_status = absl::OkStatus();

  absl::Status Put(const StoreKey& key, std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (put_status.ok()) (*files_)[key.Path().value()] = std::string(bytes);
    return put_status;
  }
  absl::StatusOr<std::string> Get(const StoreKey& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = files_->find(key.Path().value());
    if (found == files_->end()) return absl::NotFoundError("no such file");
    return found->second;
  }
  absl::Status Delete(const StoreKey& key) override {
    const std::lock_guard lock(mutex_);
    files_->erase(key.Path().value());
    return absl::OkStatus();
  }
  void Expire() override {}

 private:
  std::mutex mutex_;
  std::map<std::string, std::string>* const files_;
};

inline const std::string kTurnId(32, '\x0b');

// A picture of 1 x 1 pixel, whole and valid.
inline std::string TinyPng() {
  using std::string_literals::operator""s;
  return "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90\x77\x53\xDE"
         "\0\0\0\x0CIDAT\x78\x9C\x63\xF8\xCF\xC0\0\0\x03\x01\x01\0\xC9\xFE\x92\xEF\0\0\0\0IEND\xAE\x42\x60\x82"s;
}

}  // namespace media
