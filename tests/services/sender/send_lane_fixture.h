#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/services/sender/fake_world.h"

namespace sender {

// One conversation's sends in a made-up world.
class SendLaneTest : public testing::Test {
 protected:
  // The sequence of ledger record kinds, for instance "TPCS": takeover, plan, claim, sent. Evidence is left out.
  std::string LedgerShape() const {
    std::string shape;
    for (const auto& record : world_.Ledger()) {
      if (record.has_takeover()) shape += 'T';
      if (record.has_plan()) shape += 'P';
      if (record.has_claim()) shape += 'C';
      if (!record.has_sent()) continue;
      constexpr char kOutcome[] = "?SFDRK";  // sent, failed, dropped (superseded), released, parked
      shape += kOutcome[record.sent().outcome()];
    }
    return shape;
  }
  bool RunToEnd(base::Duration limit = std::chrono::hours(2)) {
    return world_.RunUntil([&] { return world_.AllDone(); }, limit);
  }
  void GraphDoes(std::vector<GraphBehaviour> first, GraphBehaviour then = GraphBehaviour::kAccept) {
    world_.graph = [first = std::move(first), then](int post) {
      return static_cast<std::size_t>(post) < first.size() ? first[static_cast<std::size_t>(post)] : then;
    };
  }

  World world_{/*seed=*/1};
};

}  // namespace sender
