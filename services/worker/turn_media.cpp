#include "services/worker/turn_media.h"

#include <algorithm>
#include <utility>

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
    return base::StrCat("[The user sent ", noun,
                        " that could not be loaded: ", ReasonOf(fetched ? fetched->result : media::Result::kLate), "]");
  }
  return base::StrCat("[The user sent ", noun, " (", fetched->type.empty() ? "" : fetched->type + ", ",
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

TurnMedia::~TurnMedia() {
  media::Interest wanted = media::Interest::kWanted;
  interest_->compare_exchange_strong(wanted, media::Interest::kOver);
}

bool TurnMedia::Item::IsToBeFetched() const {
  if (on_its_way) return false;
  return !fetched || fetched->result == media::Result::kBusy || fetched->result == media::Result::kLate ||
         fetched->result == media::Result::kUnavailable;
}

void TurnMedia::Fetch(base::MonotonicTime deadline, const std::shared_ptr<void>& place) {
  if (fetcher_ == nullptr) return;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!items_[i].IsToBeFetched()) continue;
    items_[i].on_its_way = true;
    fetcher_->Fetch({.book = book_,
                     .account = account_,
                     .attachment = items_[i].attachment,
                     .turn_id = turn_id_,
                     .index = i,
                     .deadline = deadline,
                     .interest = interest_},
                    [loop = loop_, weak = weak_from_this(), place, i](media::Fetched fetched) {
                      loop->Post([weak, place, i, fetched = std::move(fetched)] {
                        if (const std::shared_ptr<TurnMedia> self = weak.lock()) self->OnFetched(i, fetched);
                      });
                    });
  }
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
  items_[index].on_its_way = false;
  items_[index].fetched = std::move(fetched);
  if (!AnyOnItsWay()) GoOn();
}

bool TurnMedia::AnyOnItsWay() const {
  return std::ranges::any_of(items_, [](const Item& item) { return item.on_its_way; });
}

void TurnMedia::GoOn() {
  if (on_done_) std::exchange(on_done_, nullptr)(Sentences());
}

void TurnMedia::TakeBack() { interest_->store(media::Interest::kTakenBack); }

std::string TurnMedia::Sentences() const {
  std::string sentences;
  for (const Item& item : items_) {
    if (!sentences.empty()) sentences += "\n";
    sentences += MediaSentence(item.kind, item.fetched);
  }
  if (left_out_ > 0) sentences += base::StrCat("\n[The user sent ", left_out_, " more files, which were not loaded]");
  return sentences;
}

}  // namespace worker
