#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/app/event_loop.h"
#include "libs/base/clock.h"
#include "libs/bus/dead_letter.h"
#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/engine/engine.h"
#include "libs/identity/identity.h"
#include "libs/media/fetcher.h"
#include "libs/session/client.h"
#include "libs/telemetry/trace.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/attempt_journal.h"
#include "services/worker/attempts.h"
#include "services/worker/log_refusal.h"
#include "services/worker/metrics.h"
#include "services/worker/presence.h"
#include "services/worker/queue_policy.h"
#include "services/worker/reply_log.h"
#include "services/worker/solo_engine.h"
#include "services/worker/solo_queue.h"
#include "services/worker/turn_lanes.h"
#include "services/worker/turn_media.h"

namespace worker {

// What a turn needs from the process. All outlive every TurnRun.
struct TurnContext {
  app::EventLoop* loop = nullptr;
  bus::Producer* producer = nullptr;
  session::Client* session = nullptr;
  engine::Engine* engine = nullptr;
  AttemptJournal* journal = nullptr;
  SoloQueue* solo_queue = nullptr;    // of the suspects, for solo_engine
  SoloEngine* solo_engine = nullptr;  // used by who holds the queue's place
  ReplyLog* reply_log = nullptr;
  media::Fetcher* media = nullptr;  // nullptr: attachments are not fetched
  Presence* presence = nullptr;     // nullptr: users are shown nothing before the answer
  base::Duration media_wait = std::chrono::seconds(10);
  std::size_t media_ahead_max = 3;  // files that are fetched for turns that wait, at once; 0: none
  const account::AccountFile* accounts = nullptr;
  const Metrics* metrics = nullptr;
  const base::Clock* clock = nullptr;
  // Whether the last call of session failed, so that turns wait; for /readyz.
  std::atomic<bool>* session_fails = nullptr;
  bool development_only = false;  // the echo engine: a real account that appears later is refused
  bus::BusOptions bus;
  // Does not come back, but in tests: what must be written is refused for good.
  void (*on_log_refused)(std::string_view topic, const absl::Status& status) = EndRefusedByLog;
};

// The turn is not answered: a later turn of the conversation is in place of it, its user took it back (kUnsent), or a
// policy of the account stands against it. Of those that are shed the last names no other turn: its user is told with
// the account's busy_text.
struct DropOrder {
  DropReason reason = DropReason::kSuperseded;
  std::string into_turn_id = {};

  bool TellsUser() const { return reason == DropReason::kShed && into_turn_id.empty(); }
};

// What session will say again however often it is asked: the request itself, or what is stored, is unusable. On purpose
// not the opposite of base::MayRetry: whatever else session says is about itself, its Redis or the way to it, and ends
// when somebody mends that: an older session that does not know a call yet (Unimplemented, in a rolling upgrade), a
// proxy that refuses it (PermissionDenied, Unauthenticated), a Redis that is not set up (Internal). The turn waits, as
// for a session that is away, and /readyz says so; giving it up would give up every turn of the time.
inline bool IsPermanent(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status);
}

// One turn from the log to its reply in the log, steps 4 to 7 of design.md's "Life of a turn":
//
//   decode -> context (session) -> begun (journal) -> media -> generate (engine) -> reply (log) -> project -> done
//                          |                             \-> given up (journal) -> notice (log) -> dead letter (log) ->
//                          |                                 project -> done
//                          \-> a word that changes who answers (session) -> reply (log) -> project -> done
//                          \-> dropped: supersede (log), or notice (log) -> project -> done
//
// A suspect (attempts.h) waits for its place before `begun` and generates in the sacrificial child.
//
// A turn that is given up has its notice before its dead letter, and the journal says so before both. So a re-run does
// not answer what is given up; and the dead letter is written only when the notice is the turn's first record, that is,
// what the user is told: an answer that an earlier life wrote and did not live to project stands, and then there is no
// dead letter.
//
// From its context to its reply the user is shown that the message was read and is being answered (presence.h), as far
// as the account asks for it; nothing here waits for that.
//
// An identity change, a control record and an unsend end with what they say in session (a forget is told to it by who
// asked for it), and what is deleted loses its files here; a message that is one of the
// account's control words tells session between `context` and `begun`. A dropped turn is projected without a reply, so
// that later turns see the user's words, unless those were taken back, and a retried webhook finds the turn finished;
// what the sender makes of the supersede, it reports itself, to session and on `audit`. Every step is idempotent, so a
// crash anywhere repeats the turn and nothing visible happens twice: the first record in `replies` is what was said.
// Retries:   a step whose peer is away (session, broker) repeats with back-off for as long as it takes, because nothing
//            true can be said without it; a step that the engine refuses for now repeats until the account's turn
//            deadline. What the broker refuses for good does not: a reply that is too large ends in the dead letter,
//            and a worker without the right to write ends its process.
// Threading: everything runs on the loop thread; callbacks of the peers only post to it.
// Lifetime:  kept alive by its own callbacks; `on_done(completed)` runs once, on the loop thread, unless the loop is
//            stopped first; completed: the record need not be read again.
class TurnRun : public std::enable_shared_from_this<TurnRun> {
 public:
  static std::shared_ptr<TurnRun> Start(const TurnContext& context, std::shared_ptr<TurnTask> task,
                                        std::function<void(bool completed)> on_done);
  // Never meant to be answered: ends as dropped, unless it turns out to be finished already.
  static std::shared_ptr<TurnRun> StartDropped(const TurnContext& context, std::shared_ptr<TurnTask> task,
                                               DropOrder order, std::function<void(bool completed)> on_done);

  // Nothing has been said or decided yet.
  bool may_be_dropped() const { return !settled_ && !drop_; }
  // Stops the sequence if one runs and ends as dropped. REQUIRES: may_be_dropped()
  void Drop(DropOrder order);

  // The partition is gone: stop the sequence if one runs and end without writing anything more.
  void Abandon();

  // Has reached an engine, never will this one, or waits for its media, however long, before it does. Loop thread.
  bool submitted() const { return attempts_ > 0 || media_ != nullptr; }

  TurnRun(const TurnContext& context, std::shared_ptr<TurnTask> task, std::function<void(bool completed)> on_done);

 private:
  using Step = void (TurnRun::*)();

  void Decode();
  // turn_run_records.cpp: what changes a conversation and is told to session; ApplyControl also of a message.
  void LinkIdentity();
  void ApplyControl();
  void Unsend();
  void DeleteUnsent();
  void Forget();
  void DeleteLater(Step step);
  void LoadContext();
  void OnContext(absl::StatusOr<mesh::session::v1::LoadContextResponse> response);
  void Begin();
  void AwaitPlace();
  void NoteBegun();
  void OnBegunNoted(bool durable);
  // turn_run_control.cpp: who answers.
  void HeedPolicies();
  void EndDropped(std::string text);
  void Say(mesh::bus::v1::ReplyKind kind, std::string text);
  // turn_run_media.cpp: what came along with the text.
  void LoadMedia();
  void OnMedia(std::string sentences);
  // False: too many deletions wait, so that it is to be asked again.
  [[nodiscard]] bool DeleteMedia(const std::string& turn_id);
  void DeleteOwnMedia();
  void LetGoOfMedia();

  void Generate();
  void OnAlone(SoloOutcome outcome);
  void OnGenerated(absl::StatusOr<engine::GenerationResult> result);
  void WriteReply();
  void WriteSupersede();
  void Project();
  // turn_run_end.cpp: a turn that is given up.
  void GiveUp(bus::DeadLetterReason reason, std::string detail);
  void NoteGivenUp();
  void OnGivenUpNoted(bool durable);
  void FindEarlierReply();
  void OnEarlierReply(absl::StatusOr<std::optional<FirstReply>> first);
  void WriteDeadLetter();
  void Stop();  // the sequence, if one runs
  void Finish(std::string_view outcome, bool completed);
  bool EndIfAbandoned();

  void OnLinked(absl::StatusOr<mesh::session::v1::LinkIdentityResponse> response);
  void OnControlApplied(absl::StatusOr<mesh::session::v1::SetControlResponse> response);
  void OnUnsent(absl::StatusOr<mesh::session::v1::UnsendResponse> response);
  // Whether session has to be told again by `step`; what it refuses for good is logged as `refused`.
  bool MustTellAgain(Step step, const absl::Status& status, std::string_view refused);
  void OnWritten(absl::StatusOr<bus::RecordPosition> position);
  void OnSupersedeWritten(absl::StatusOr<bus::RecordPosition> position);
  void OnDeadLetterWritten(absl::StatusOr<bus::RecordPosition> position);
  void OnProjected(absl::StatusOr<mesh::session::v1::AppendTurnResponse> response);
  engine::GenerationRequest BuildRequest() const;
  session::Client::CallOptions SessionCall() const;
  base::MonotonicTime Deadline() const;
  bool DeadlinePassed() const;
  // The broker did not take what `step` wrote to `topic`: again later, or never.
  void WriteAgain(Step step, std::string_view topic, const absl::Status& why);
  bus::OutgoingRecord ToReplies(const mesh::bus::v1::ReplyRecord& value) const;
  // Runs `step` again after a back-off that grows with each retry in a row.
  void RetryLater(Step step, std::string_view peer, const absl::Status& why);
  // Wraps a member so that a peer's callback, on any thread, continues here on the loop thread while this lives.
  template <typename Arg>
  std::function<void(Arg)> OnLoop(void (TurnRun::*next)(Arg));

  const TurnContext context_;
  const std::shared_ptr<TurnTask> task_;
  std::function<void(bool completed)> on_done_;
  telemetry::TraceContext trace_;

  mesh::bus::v1::Turn turn_;
  std::shared_ptr<const account::AccountBook> book_;  // keeps account_ alive across a reload
  const account::Account* account_ = nullptr;
  mesh::session::v1::LoadContextResponse loaded_;
  std::shared_ptr<TurnMedia> media_;            // task_->media while it is waited for
  std::optional<std::string> media_sentences_;  // what the model is told of it
  // When the context was there: the turn deadline counts from then, less what the turn waited for a full engine, so
  // that waiting for session never uses it up.
  base::MonotonicTime answering_since_{};
  base::MonotonicTime submitted_at_{};  // to the engine, the last time
  mesh::bus::v1::Reply reply_;
  std::int64_t reply_offset_ = -1;
  std::uint32_t generation_ = 0;
  engine::SequenceId sequence_;
  Attempts known_;          // of tries that are over, in this life and earlier ones
  SoloQueue::Place place_;  // of a suspect, while it runs alone
  Presence::Shown shown_;   // "typing", until the answer is written or there will be none
  bool generating_ = false;
  bool alone_ = false;       // in the child, just now
  int forgotten_count_ = 0;  // of a forget's turns: whose files are deleted
  bool abandoned_ = false;
  std::optional<DropOrder> drop_;
  bool settled_ = false;    // what is said of the turn is decided, and may stand in the log
  bool giving_up_ = false;  // with a dead letter, unless an answer stands already
  int retries_in_a_row_ = 0;
  std::uint32_t attempts_ = 0;  // tries begun in all lives
  bus::DeadLetterReason dead_reason_ = bus::DeadLetterReason::kUndecodable;
  std::string dead_detail_;
};

template <typename Arg>
std::function<void(Arg)> TurnRun::OnLoop(void (TurnRun::*next)(Arg)) {
  return [self = shared_from_this(), next](Arg arg) {
    self->context_.loop->Post([self, next, arg = std::move(arg)]() mutable {
      if (!self->EndIfAbandoned()) ((*self).*next)(std::move(arg));
    });
  };
}

}  // namespace worker
