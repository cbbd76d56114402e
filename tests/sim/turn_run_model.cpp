#include "tests/sim/turn_run_model.h"

#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Duration kRetryInitial = milliseconds(100);  // as in turn_run.cpp
constexpr base::Duration kRetryMax = seconds(5);
constexpr base::Duration kPost = std::chrono::microseconds(100);
constexpr base::Duration kGenerateMax = seconds(3);

}  // namespace

TurnRunModel::TurnRunModel(World* world, Process* process, worker::AttemptJournal* journal,
                           std::shared_ptr<worker::TurnTask> task, std::function<void(bool)> on_done)
    : world_(world),
      process_(process),
      journal_(journal),
      task_(std::move(task)),
      on_done_(std::move(on_done)),
      known_(worker::Attempts::FromNote(task_->record.note)) {
  turn_ = world_->FindTurn(task_->record.value);
}

void TurnRunModel::Start() { Later(kPost, &TurnRunModel::LoadContext); }

void TurnRunModel::Later(base::Duration delay, Step step) {
  process_->After(delay, [self = shared_from_this(), step] {
    if (!self->EndIfAbandoned()) ((*self).*step)();
  });
}

bool TurnRunModel::EndIfAbandoned() {
  if (abandoned_) Finish(/*completed=*/false);
  return abandoned_;
}

void TurnRunModel::LoadContext() {
  auto done = std::make_shared<bool>(false);
  world_->Call(
      *process_, /*up=*/!world_->StoreDown(),
      [world = world_, turn = turn_, done] {
        *done = world->mistake != Mistake::kDedupOff && world->store.IsDone(turn->turn_id);
      },
      [self = shared_from_this(), done](bool answered) {
        if (self->EndIfAbandoned()) return;
        if (!answered) return self->RetryLater(&TurnRunModel::LoadContext);
        self->retries_in_a_row_ = 0;
        if (self->known_.given_up()) return self->GiveUp(*self->known_.given_up());
        if (*done) return self->Finish(/*completed=*/true);
        if (self->known_.poison()) return self->GiveUp(bus::DeadLetterReason::kPoison);
        self->alone_ = self->known_.began();
        self->NoteBegun();
      });
}

void TurnRunModel::NoteBegun() {
  const worker::Attempts now = alone_ ? known_.StartedAlone() : known_.Started();
  journal_->Note(*task_, now, /*at_rest=*/known_, [self = shared_from_this()](bool durable) {
    if (self->EndIfAbandoned()) return;
    if (!durable) return self->RetryLater(&TurnRunModel::NoteBegun);
    self->retries_in_a_row_ = 0;
    if (self->answering_since_ == base::MonotonicTime{}) self->answering_since_ = self->world_->time.now();
    self->Generate();
  });
}

void TurnRunModel::Generate() { Later(world_->random.UpTo(kGenerateMax), &TurnRunModel::OnGenerated); }

void TurnRunModel::OnGenerated() {
  if (!alone_) {
    world_->FateOf(*process_);  // the engine is in the process: it has no call to lose, but may take the process along
  } else if (!world_->healed() && world_->random.Chance(world_->rates.engine)) {
    known_ = known_.ChildDied();
    return known_.poison() ? GiveUp(bus::DeadLetterReason::kPoison) : NoteBegun();
  }
  if (!world_->healed() && world_->random.Chance(world_->rates.engine)) {
    if (world_->random.Chance(0.2)) return GiveUp(bus::DeadLetterReason::kRefused);
    if (world_->time.now() >= answering_since_ + seconds(world_->account->turn_deadline_s)) {
      return GiveUp(bus::DeadLetterReason::kDeadline);
    }
    return RetryLater(&TurnRunModel::Generate);
  }
  retries_in_a_row_ = 0;
  const int run = world_->NextRun();
  std::string text;
  for (int part = 0; part < turn_->parts; ++part) {
    text += (part > 0 ? "|" : "") + turn_->name + "." + std::to_string(part) + "#" + std::to_string(run);
  }
  reply_.set_kind(mesh::bus::v1::REPLY_KIND_ANSWER);
  reply_.set_text(text);
  if (world_->mistake == Mistake::kDedupOff) reply_.set_generation(static_cast<std::uint32_t>(run));
  if (world_->mistake == Mistake::kDoneBeforeReply) {
    Finish(/*completed=*/true);
  }
  WriteReply();
}

void TurnRunModel::WriteReply() {
  reply_.set_turn_id(turn_->turn_id);
  *reply_.mutable_conversation() = world_->Conversation(*turn_);
  reply_.set_in_reply_to_message_id("m" + std::to_string(turn_->number));
  mesh::bus::v1::ReplyRecord value;
  *value.mutable_reply() = reply_;
  bus::Record record;
  record.key = world_->KeyOf(*turn_);
  record.value = value.SerializeAsString();
  world_->Produce(
      *process_,
      [world = world_, turn = turn_, record = std::move(record), text = reply_.text(), by = process_->name()] {
        const std::int64_t offset = world->log.Append(Topic::kReplies, turn->partition, record);
        world->Trace([&] {
          return by + " answers " + turn->name + ": " + text + ", replies/" + std::to_string(turn->partition) + "@" +
                 std::to_string(offset);
        });
        return offset;
      },
      [self = shared_from_this()](absl::StatusOr<std::int64_t> offset) {
        if (self->EndIfAbandoned()) return;
        if (!offset.ok()) return self->RetryLater(&TurnRunModel::WriteReply);
        self->retries_in_a_row_ = 0;
        self->reply_offset_ = *offset;
        self->giving_up_ ? self->FindEarlierReply() : self->Project();
      });
}

void TurnRunModel::Project() {
  world_->Call(
      *process_, /*up=*/!world_->StoreDown(),
      [world = world_, turn = turn_, text = reply_.text(), offset = reply_offset_, generation = reply_.generation()] {
        world->store.AppendTurn(turn->turn_id, text, offset, generation);
      },
      [self = shared_from_this()](bool answered) {
        if (self->EndIfAbandoned()) return;
        if (!answered) return self->RetryLater(&TurnRunModel::Project);
        self->Finish(/*completed=*/true);
      });
}

void TurnRunModel::GiveUp(bus::DeadLetterReason reason) {
  dead_reason_ = reason;
  giving_up_ = true;
  NoteGivenUp();
}

void TurnRunModel::NoteGivenUp() {
  const worker::Attempts decided = known_.GivenUp(dead_reason_);
  journal_->Note(*task_, decided, /*at_rest=*/decided, [self = shared_from_this()](bool durable) {
    if (self->EndIfAbandoned()) return;
    if (!durable) return self->RetryLater(&TurnRunModel::NoteGivenUp);
    self->retries_in_a_row_ = 0;
    self->reply_.set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
    self->reply_.set_text(self->world_->account->notice_text);
    self->WriteReply();
  });
}

void TurnRunModel::FindEarlierReply() {
  struct Found {
    std::int64_t offset = -1;
    mesh::bus::v1::ReplyRecord record;
  };
  auto found = std::make_shared<Found>();
  world_->Call(
      *process_, /*up=*/!world_->BrokerDown(),
      [world = world_, turn = turn_, before = reply_offset_, found] {
        for (const bus::Record& record : world->log.records(Topic::kReplies, turn->partition)) {
          mesh::bus::v1::ReplyRecord value;
          if (record.offset >= before || !value.ParseFromString(record.value)) continue;
          if (value.reply().turn_id() != turn->turn_id && value.supersede().turn_id() != turn->turn_id) continue;
          if (value.reply().kind() == mesh::bus::v1::REPLY_KIND_FALLBACK) continue;
          *found = {.offset = record.offset, .record = value};
          return;
        }
      },
      [self = shared_from_this(), found](bool answered) {
        if (self->EndIfAbandoned()) return;
        if (!answered) return self->RetryLater(&TurnRunModel::FindEarlierReply);
        self->retries_in_a_row_ = 0;
        self->OnEarlierReply(found->offset, found->record);
      });
}

void TurnRunModel::OnEarlierReply(std::int64_t offset, const mesh::bus::v1::ReplyRecord& record) {
  if (offset < 0 || record.reply().kind() == mesh::bus::v1::REPLY_KIND_NOTICE) return WriteDeadLetter();
  giving_up_ = false;
  reply_offset_ = offset;
  reply_ = record.reply();  // of a withdrawal nothing
  Project();
}

void TurnRunModel::WriteDeadLetter() {
  world_->Produce(
      *process_,
      [world = world_, turn = turn_, reason = dead_reason_, by = process_->name()]() -> std::int64_t {
        world->Trace([&] { return by + " writes a dead letter of " + turn->name; });
        world->dead_letters.push_back({std::string(NameOf(Topic::kTurns)), turn->number, reason});
        return 0;
      },
      [self = shared_from_this()](absl::StatusOr<std::int64_t> offset) {
        if (self->EndIfAbandoned()) return;
        if (!offset.ok()) return self->RetryLater(&TurnRunModel::WriteDeadLetter);
        self->retries_in_a_row_ = 0;
        self->Project();
      });
}

void TurnRunModel::Finish(bool completed) {
  if (on_done_) std::exchange(on_done_, nullptr)(completed);
}

void TurnRunModel::RetryLater(Step step) {
  const auto seed =
      static_cast<std::uint64_t>(task_->record.offset) * 31 + static_cast<std::uint64_t>(task_->record.partition);
  Later(base::BackoffDelay(++retries_in_a_row_, kRetryInitial, kRetryMax, seed), step);
}

}  // namespace sim
