// What came along with a turn's text: waited for, within bounds, before the engine sees the turn; and deleted with it.
#include <algorithm>
#include <utility>

#include "libs/base/hex.h"
#include "libs/telemetry/log.h"
#include "services/worker/turn_run.h"

namespace worker {
namespace {

// A turn that has outlived so many tries goes without its media: it may be what ended their workers.
constexpr std::uint32_t kTriesWithMediaMax = 2;

}  // namespace

void TurnRun::LoadMedia() {
  if (context_.media == nullptr || media_sentences_ || !TurnMedia::Has(turn_)) return Generate();
  // Half of what is left of the turn's time at most: a sentence in place of a picture is better than no answer.
  const base::Duration wait = std::clamp(context_.media_wait, base::Duration::zero(),
                                         std::max((Deadline() - context_.clock->Now()) / 2, base::Duration::zero()));
  const bool has_killed = known_.tries() >= kTriesWithMediaMax;
  if (task_->media == nullptr || has_killed) {
    task_->media =
        std::make_shared<TurnMedia>(context_.loop, has_killed ? nullptr : context_.media, book_, account_, turn_);
  }
  media_ = task_->media;
  media_->Fetch(base::Clock::Real().Now() + wait);
  media_->Await(wait, [self = shared_from_this()](std::string sentences) { self->OnMedia(std::move(sentences)); });
}

void TurnRun::OnMedia(std::string sentences) {
  media_.reset();
  media_sentences_ = std::move(sentences);
  Generate();
}

bool TurnRun::DeleteMedia(const std::string& turn_id) {
  if (context_.media == nullptr || turn_id.size() != turn_.turn_id().size()) return true;
  if (task_->media != nullptr && turn_id == turn_.turn_id()) task_->media->TakeBack();
  return context_.media->Delete(turn_.conversation().tenant(), turn_id);
}

// The files of a retried webhook are fetched before session tells that its turn is finished, and an unsend or a forget
// may have deleted them since.
void TurnRun::LetGoOfMedia() {
  if (loaded_.unsent() || (drop_ && drop_->reason == DropReason::kUnsent)) return DeleteOwnMedia();
  if (task_->media != nullptr) task_->media->TakeBackNew();
}

void TurnRun::DeleteOwnMedia() {
  if (!TurnMedia::Has(turn_) || DeleteMedia(turn_.turn_id())) return;
  telemetry::Log(telemetry::LogLevel::kWarning, "media_not_deleted", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())}, {"detail", "too many deletions wait; it goes by age"}});
}

}  // namespace worker
