#include "tests/sim/fake_store.h"

#include <utility>

namespace sim {
namespace {

using mesh::session::v1::Outcome;

bool IsFinal(Outcome outcome) {
  return outcome == mesh::session::v1::OUTCOME_FAILED || outcome == mesh::session::v1::OUTCOME_SUPERSEDED;
}

int Rank(Outcome outcome) {
  switch (outcome) {
    case mesh::session::v1::OUTCOME_SENT:
      return 1;
    case mesh::session::v1::OUTCOME_DELIVERED:
      return 2;
    case mesh::session::v1::OUTCOME_READ:
      return 3;
    default:
      return 0;
  }
}

Outcome Merge(Outcome known, Outcome fresh) {  // record.lua: merge_outcome
  if (IsFinal(known)) return known;
  if (IsFinal(fresh)) return fresh;
  return Rank(fresh) > Rank(known) ? fresh : known;
}

void TakeText(FakeStore::Turn& to, const std::string& text, std::int64_t replies_offset) {  // record.lua: take_text
  if (replies_offset < 0 || (to.replies_offset >= 0 && replies_offset >= to.replies_offset)) return;
  to.text = text;
  to.replies_offset = replies_offset;
}

}  // namespace

FakeStore::State& FakeStore::Write(const std::string& turn_id) {
  State& state = states_[turn_id];
  undo_.emplace_back(turn_id, state);
  return state;
}

bool FakeStore::IsDone(const std::string& turn_id) const {
  const auto found = states_.find(turn_id);
  return found != states_.end() &&
         (found->second.done || (found->second.turn.has_value() && found->second.turn->appended));
}

void FakeStore::AppendTurn(const std::string& turn_id, const std::string& text, std::int64_t replies_offset,
                           std::uint32_t generation) {
  State& state = Write(turn_id);
  state.done = true;
  Turn fresh{true, text, replies_offset, generation, mesh::session::v1::OUTCOME_UNSPECIFIED};
  if (state.turn.has_value()) {
    const Turn& known = *state.turn;
    if (known.appended &&
        (known.generation > generation || (known.generation == generation && known.replies_offset <= replies_offset))) {
      return;
    }
    if (known.generation > generation) {  // an outcome of a later generation waits for its turn
      return;
    }
    if (known.generation == generation) {
      fresh.outcome = known.outcome;
      TakeText(fresh, known.text, known.replies_offset);
    }
  }
  state.turn = std::move(fresh);
}

void FakeStore::SetOutcome(const std::string& turn_id, Outcome outcome, const std::string& text,
                           std::int64_t replies_offset, std::uint32_t generation) {
  State& state = Write(turn_id);
  if (state.turn.has_value() && state.turn->generation > generation) return;
  if (!state.turn.has_value() || state.turn->generation < generation) {
    const bool appended = state.turn.has_value() && state.turn->appended;
    if (appended && replies_offset < 0) return;  // kept until this generation's words come
    // Of a reply that was requeued nobody appends the turn again.
    state.turn = Turn{appended, {}, -1, generation, mesh::session::v1::OUTCOME_UNSPECIFIED};
  }
  state.turn->outcome = Merge(state.turn->outcome, outcome);
  TakeText(*state.turn, text, replies_offset);
}

void FakeStore::Wipe() {
  lost_something_ |= !states_.empty();
  states_.clear();
  undo_.clear();
}

void FakeStore::LoseTail(std::size_t writes) {
  for (; writes > 0 && !undo_.empty(); --writes) {
    states_[undo_.back().first] = std::move(undo_.back().second);
    undo_.pop_back();
    lost_something_ = true;
  }
}

const FakeStore::Turn* FakeStore::Find(const std::string& turn_id) const {
  const auto found = states_.find(turn_id);
  return found == states_.end() || !found->second.turn.has_value() ? nullptr : &*found->second.turn;
}

}  // namespace sim
