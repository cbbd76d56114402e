#include "services/worker/turn_media.h"

#include <algorithm>
#include <utility>

#include "libs/attachment/file_kind.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/media/media_kind.h"

namespace worker {
namespace {

// Why it is not there, as far as it means something to a user.
std::string_view ReasonOf(media::Result result) {
  switch (result) {
    case media::Result::kTooLarge:
      return "it is too large";
    case media::Result::kWrongType:
    case media::Result::kWrongHash:
      return "the file is damaged or not of the announced type";
    case media::Result::kGone:
      return "it has expired or was deleted";
    case media::Result::kLate:
    case media::Result::kBusy:
      return "it did not arrive in time";
    default:
      return "it is not available";
  }
}

std::string Size(std::int64_t bytes) {
  return bytes >= 1 << 20 ? base::StrCat(bytes >> 20, " MB")
                          : base::StrCat(std::max<std::int64_t>(bytes >> 10, 1), " KB");
}

}  // namespace

std::string MediaSentence(media::Kind kind, const std::optional<media::Fetched>& fetched) {
  const std::string_view noun = media::Noun(kind);
  if (!fetched || fetched->result != media::Result::kStored) {
    return base::StrCat(attachment::kTheUserSent, noun,
                        " that could not be loaded: ", ReasonOf(fetched ? fetched->result : media::Result::kLate), "]");
  }
  return base::StrCat(attachment::kTheUserSent, noun, " (", fetched->type.empty() ? "" : fetched->type + ", ",
                      Size(fetched->bytes), "); its content is not visible to you]");
}

std::string WithMedia(const mesh::bus::v1::Turn& turn, std::string_view sentences) {
  return turn.text().empty() ? std::string(sentences) : base::StrCat(turn.text(), "\n", sentences);
}

bool TurnMedia::Has(const mesh::bus::v1::Turn& turn) {
  return std::ranges::any_of(turn.attachments(), [](const mesh::bus::v1::Attachment& attachment) {
    return media::KindOf(attachment.type()) != media::Kind::kNone;
  });
}

TurnMedia::TurnMedia(app::EventLoop* loop, media::Fetcher* fetcher, std::shared_ptr<const account::AccountBook> book,
                     const account::Account* account, const mesh::bus::v1::Turn& turn)
    : loop_(loop), fetcher_(fetcher), book_(std::move(book)), account_(account), turn_id_(turn.turn_id()) {
  for (const mesh::bus::v1::Attachment& attachment : turn.attachments()) {
    const media::Kind kind = media::KindOf(attachment.type());
    if (kind == media::Kind::kNone) continue;
    if (items_.size() < media::kFilesPerTurnMax) {
      items_.push_back({.kind = kind, .attachment = attachment, .fetched = std::nullopt});
    } else {
      ++left_out_;  // the model is told of them in words alone
    }
  }
}

TurnMedia::~TurnMedia() { GiveUpWhatHasNotBegun(); }

void TurnMedia::GiveUpWhatHasNotBegun() {
  media::Interest wanted = media::Interest::kWanted;
  interest_->compare_exchange_strong(wanted, media::Interest::kOver);
}

bool TurnMedia::Item::IsToBeFetched() const {
  if (on_its_way) return false;
  return !fetched || fetched->result == media::Result::kBusy || fetched->result == media::Result::kLate ||
         fetched->result == media::Result::kUnavailable;
}

bool TurnMedia::News::MayStay(std::size_t index) {
  const std::lock_guard lock(mutex_);
  if (!refused_) indices_.push_back(index);
  return !refused_;
}

std::vector<std::size_t> TurnMedia::News::Refuse() {
  const std::lock_guard lock(mutex_);
  refused_ = true;
  return std::exchange(indices_, {});
}

media::StoreKey TurnMedia::KeyOf(std::size_t index) const {
  return {.tenant = account_->tenant, .turn_id = turn_id_, .index = index};
}

bool TurnMedia::HasMore() const {
  return fetcher_ != nullptr &&
         std::ranges::any_of(items_, [](const Item& item) { return !item.on_its_way && !item.fetched; });
}

void TurnMedia::FetchOne(base::MonotonicTime deadline, std::shared_ptr<void> place) {
  CHECK(HasMore());
  const auto next = std::ranges::find_if(items_, [](const Item& item) { return !item.on_its_way && !item.fetched; });
  Ask(static_cast<std::size_t>(next - items_.begin()), deadline, std::move(place));
}

void TurnMedia::Fetch(base::MonotonicTime deadline) {
  if (fetcher_ == nullptr) return;
  run_deadline_ = deadline;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!items_[i].IsToBeFetched()) continue;
    items_[i].asked_by_run = true;
    Ask(i, deadline, nullptr);
  }
}

void TurnMedia::Ask(std::size_t index, base::MonotonicTime deadline, std::shared_ptr<void> place) {
  items_[index].on_its_way = true;
  media::FetchRequest request{.book = book_,
                              .account = account_,
                              .attachment = items_[index].attachment,
                              .turn_id = turn_id_,
                              .index = index,
                              .deadline = deadline,
                              .interest = interest_};
  // What asks the fetcher to delete runs on one of its own threads: it is there.
  fetcher_->Fetch(std::move(request), [fetcher = fetcher_, loop = loop_, news = news_, key = KeyOf(index),
                                       weak = weak_from_this(), place = std::move(place)](media::Fetched fetched) {
    const bool is_new = fetched.result == media::Result::kStored && !fetched.was_kept;
    if (is_new && !news->MayStay(key.index)) static_cast<void>(fetcher->DeleteFile(key));
    loop->Post([weak, place, index = key.index, fetched = std::move(fetched)] {
      if (const std::shared_ptr<TurnMedia> self = weak.lock()) self->OnFetched(index, fetched);
    });
  });
}

void TurnMedia::Await(base::Duration wait, std::function<void(std::string)> on_done) {
  on_done_ = std::move(on_done);
  const auto go_on = [weak = weak_from_this()] {
    if (const std::shared_ptr<TurnMedia> self = weak.lock()) self->GoOn();
  };
  if (!AnyOnItsWay()) return static_cast<void>(loop_->Post(go_on));
  loop_->PostAfter(wait, go_on);
}

void TurnMedia::OnFetched(std::size_t index, media::Fetched fetched) {
  Item& item = items_[index];
  item.on_its_way = false;
  item.fetched = std::move(fetched);
  if (on_done_ && !item.asked_by_run && item.IsToBeFetched()) {  // asked for ahead, and on its way until now
    item.asked_by_run = true;
    return Ask(index, run_deadline_, nullptr);
  }
  if (!AnyOnItsWay()) GoOn();
}

bool TurnMedia::AnyOnItsWay() const {
  return std::ranges::any_of(items_, [](const Item& item) { return item.on_its_way; });
}

void TurnMedia::GoOn() {
  if (on_done_) std::exchange(on_done_, nullptr)(Sentences());
}

void TurnMedia::TakeBack() { interest_->store(media::Interest::kTakenBack); }

// Too many deletions at once: then it goes by age, like what a store does not delete.
void TurnMedia::TakeBackNew() {
  GiveUpWhatHasNotBegun();
  for (const std::size_t index : news_->Refuse()) static_cast<void>(fetcher_->DeleteFile(KeyOf(index)));
}

std::string TurnMedia::Sentences() const {
  std::string sentences;
  for (const Item& item : items_) {
    if (!sentences.empty()) sentences += "\n";
    sentences += MediaSentence(item.kind, item.fetched);
  }
  if (left_out_ > 0) {
    sentences += base::StrCat("\n", attachment::kTheUserSent, left_out_, " more files, which were not loaded]");
  }
  return sentences;
}

}  // namespace worker
