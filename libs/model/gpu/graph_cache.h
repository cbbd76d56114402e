#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "libs/model/gpu/device_memory.h"

namespace model {

// Which step a captured graph serves: the launches depend on nothing else.
struct GraphKey {
  std::int32_t rows = 0;         // bucket
  std::int32_t context_max = 0;  // bucket
  int slot = 0;

  friend bool operator==(const GraphKey&, const GraphKey&) = default;
};

// The captured graphs of one model: at most `graphs_max`; the one used longest ago leaves for a new one. A linear list,
// because it is short and looked through once a step.
class GraphCache {
 public:
  explicit GraphCache(std::size_t graphs_max) : graphs_max_(graphs_max) {}

  // nullptr: not captured.
  kernels::gpu::Graph Find(const GraphKey& key) {
    for (Entry& entry : entries_) {
      if (!(entry.key == key)) continue;
      entry.used = ++clock_;
      return entry.graph.get();
    }
    return nullptr;
  }

  void Put(const GraphKey& key, DeviceGraph graph) {
    if (entries_.size() >= graphs_max_) {
      entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                      [](const Entry& a, const Entry& b) { return a.used < b.used; }));
    }
    entries_.push_back({key, ++clock_, std::move(graph)});
  }

  void Clear() { entries_.clear(); }

  std::size_t size() const { return entries_.size(); }
  bool enabled() const { return graphs_max_ > 0; }

 private:
  struct Entry {
    GraphKey key;
    std::uint64_t used = 0;
    DeviceGraph graph;
  };

  const std::size_t graphs_max_;
  std::vector<Entry> entries_;
  std::uint64_t clock_ = 0;
};

}  // namespace model
