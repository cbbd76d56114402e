#pragma once

#include <cstdint>
#include <string>

#include "libs/account/account_book.h"
#include "libs/base/clock.h"
#include "libs/bus/record.h"

namespace worker {

enum class QueueMode { kFollowup, kInterrupt, kCollect };  // Account.queue_mode

// What the queue knows of a turn that waits: enough to decide whether it is answered alone, together with others, or
// not at all.
struct QueuedTurn {
  std::int64_t offset = 0;  // in `turns`
  std::string turn_id;
  // A user's message or postback, of a known account, which may take the place of others and be dropped for them. A
  // requeued dead letter is none: an operator asked for its answer, and it says nothing about what the user wants now.
  // Nor is a word that changes who answers: no other turn can stand for it. Nor what cannot be read, which can stand
  // for no other.
  bool is_user_turn = false;
  // Kept and never answered: its place in the queue matters to nobody.
  bool is_event = false;
  bool brings_files = false;    // a user's turn whose files are to be fetched
  std::string unsent_turn_id;   // of an unsend: the turn that it takes back
  std::int64_t sent_at_ms = 0;  // the channel's clock; 0: not known
  base::MonotonicTime read_at{};
  QueueMode mode = QueueMode::kFollowup;
  base::Duration debounce{};
  base::Duration deadline{};  // Account.turn_deadline_s; 0 for what is no user's turn
};

// Reads a record of `turns` this far. What is refused (records::DecodeTurn), or belongs to no account, is neither a
// user's turn nor an event: it takes its turn in the lane and ends in the dead letter there.
QueuedTurn DescribeTurn(const bus::Record& record, const account::AccountBook& accounts, base::MonotonicTime read_at);

}  // namespace worker
