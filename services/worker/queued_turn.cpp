#include "services/worker/queued_turn.h"

#include <chrono>

#include "libs/bus/headers.h"
#include "libs/records/turn_record.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/answer_policy.h"
#include "services/worker/turn_media.h"

namespace worker {
namespace {

QueueMode ModeOf(const account::Account& account) {
  if (account.queue_mode == "interrupt") return QueueMode::kInterrupt;
  return account.queue_mode == "collect" ? QueueMode::kCollect : QueueMode::kFollowup;
}

}  // namespace

QueuedTurn DescribeTurn(const bus::Record& record, const account::AccountBook& accounts, base::MonotonicTime read_at) {
  QueuedTurn queued;
  queued.offset = record.offset;
  queued.read_at = read_at;
  const auto decoded = records::DecodeTurn(record);
  if (!decoded.ok()) return queued;
  const mesh::bus::v1::Turn& turn = *decoded;
  queued.is_event = turn.kind() == mesh::bus::v1::TURN_KIND_EVENT;
  if (turn.kind() == mesh::bus::v1::TURN_KIND_UNSEND) queued.unsent_turn_id = turn.target_turn_id();
  const account::Account* account = accounts.FindFor(turn.conversation());
  if (account == nullptr) return queued;
  queued.is_user_turn =
      (turn.kind() == mesh::bus::v1::TURN_KIND_MESSAGE || turn.kind() == mesh::bus::v1::TURN_KIND_POSTBACK) &&
      turn.control() == mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED && !turn.unreadable() &&
      bus::GenerationOf(record.headers) == 0;
  const bool is_unsupported = turn.text().empty() && !account->unsupported_text.empty();
  queued.brings_files =
      queued.is_user_turn && TurnMedia::Has(turn) && !is_unsupported && !IsCountryOff(*account, turn.conversation());
  queued.turn_id = turn.turn_id();
  queued.sent_at_ms = turn.sent_at_ms();
  queued.mode = ModeOf(*account);
  queued.debounce = std::chrono::milliseconds(account->debounce_ms);
  queued.deadline = std::chrono::seconds(account->turn_deadline_s);
  return queued;
}

}  // namespace worker
