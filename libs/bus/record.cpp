#include "libs/bus/record.h"

#include <cstddef>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace bus {
namespace {

// MurmurHash2 (32 bit) by Austin Appleby, in the public domain, with Kafka's seed.
std::uint32_t Murmur2(std::string_view bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto byte_at = [&bytes](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };

  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  const std::size_t words = bytes.size() / 4;
  for (std::size_t i = 0; i < words * 4; i += 4) {
    std::uint32_t k = byte_at(i) | byte_at(i + 1) << 8 | byte_at(i + 2) << 16 | byte_at(i + 3) << 24;
    k *= kMultiplier;
    k ^= k >> kShift;
    k *= kMultiplier;
    hash *= kMultiplier;
    hash ^= k;
  }
  const std::size_t rest = words * 4;
  switch (bytes.size() % 4) {
    case 3:
      hash ^= byte_at(rest + 2) << 16;
      [[fallthrough]];
    case 2:
      hash ^= byte_at(rest + 1) << 8;
      [[fallthrough]];
    case 1:
      hash ^= byte_at(rest);
      hash *= kMultiplier;
      break;
    default:
      break;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

}  // namespace

std::string_view FindHeader(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

void SetHeader(Headers& headers, std::string_view name, std::string value) {
  for (auto& [key, old] : headers) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  headers.emplace_back(std::string(name), std::move(value));
}

std::string RecordPlace(const Record& record) {
  return base::StrCat(record.topic, "/", record.partition, "/", record.offset);
}

std::int32_t PartitionFor(std::string_view key, std::int32_t partitions) {
  CHECK(partitions > 0);
  // toPositive() of the Java client drops the sign bit instead of negating.
  return static_cast<std::int32_t>(Murmur2(key) & 0x7fffffffu) % partitions;
}

}  // namespace bus
