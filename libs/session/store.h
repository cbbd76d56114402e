#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/config/option_table.h"
#include "libs/redis/pool.h"
#include "proto/session/v1/session.pb.h"

namespace session {

struct StoreOptions {
  std::int32_t history_turns_max = 200;
  std::int64_t history_bytes_max = 256 << 10;  // of one conversation's turns, without Redis's own overhead
  std::int32_t history_ttl_days = 30;          // since the conversation's last turn
  std::int32_t done_shards = 65536;            // power of two; see internal/keys.h
};

void RegisterStoreOptions(config::OptionTable& table, StoreOptions* options);
absl::Status ValidateStoreOptions(const StoreOptions& options);

// Conversations in Redis: a projection of the log. Every write is idempotent and the result does not depend on the
// order of writes, so that replays of the log converge:
//   - the text of a turn is that of the newest generation's lowest `replies` offset;
//   - outcomes only move forward (session.proto, Outcome) and wait for their turn when they come first;
//   - history is the newest `history_turns_max` turns that fit into `history_bytes_max`, by `turns` offset; what fell
//     off or was forgotten stays away when it is replayed;
//   - of the control actions of a kind, handoff or consent, that with the highest `turns` offset stands; a
//     deletion ends a handoff that stands before it, never an opt-out;
//   - of a message that was unsent no text is stored, whether its turn was projected before or is later.
// Keys: internal/keys.h. Records: internal/turn_record.h. Memory per turn, measured: README.md.
//
// Threading: safe from any thread; each call blocks for one round trip to Redis (LinkIdentity: five; SetControl: up
//            to three), at most until its deadline.
// Errors:    as base::MayRetry says. DataLoss: what is stored of this conversation is unusable, and stays so. Internal:
//            Redis or a script answered as none should; whether it goes on doing so is not known here.
// REQUIRES:  requests have passed Validate (validate.h).
class Store {
 public:
  Store(redis::Pool* pool, const StoreOptions& options);  // the pool must outlive the store. REQUIRES: valid options
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  absl::StatusOr<mesh::session::v1::LoadContextResponse> LoadContext(
      const mesh::session::v1::LoadContextRequest& request, base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::AppendTurnResponse> AppendTurn(const mesh::session::v1::AppendTurnRequest& request,
                                                                   base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::SetOutcomeResponse> SetOutcome(const mesh::session::v1::SetOutcomeRequest& request,
                                                                   base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::IsDoneResponse> IsDone(const mesh::session::v1::IsDoneRequest& request,
                                                           base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::ForgetResponse> Forget(const mesh::session::v1::ForgetRequest& request,
                                                           base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::GetSessionResponse> GetSession(const mesh::session::v1::GetSessionRequest& request,
                                                                   base::MonotonicTime deadline);

  absl::StatusOr<mesh::session::v1::SetControlResponse> SetControl(const mesh::session::v1::SetControlRequest& request,
                                                                   base::MonotonicTime deadline);
  absl::StatusOr<mesh::session::v1::UnsendResponse> Unsend(const mesh::session::v1::UnsendRequest& request,
                                                           base::MonotonicTime deadline);

  // Moves history, control and unsent messages: link first, then copy, then delete, so that a crash in between is
  // mended by the retry. Turns of the old conversation are ordered before all turns of the new one, whose offsets come
  // from another partition.
  absl::StatusOr<mesh::session::v1::LinkIdentityResponse> LinkIdentity(
      const mesh::session::v1::LinkIdentityRequest& request, base::MonotonicTime deadline);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace session
