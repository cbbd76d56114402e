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

std::shared_ptr<TurnMedia> TurnMedia::Start(app::EventLoop* loop, media::Fetcher* fetcher,
                                            std::shared_ptr<const account::AccountBook> book,
                                            const account::Account* account, const mesh::bus::v1::Turn& turn,
                                            base::Duration wait, std::function<void(std::string)> on_done) {
  auto media = std::make_shared<TurnMedia>(std::move(on_done));
  const base::MonotonicTime deadline = base::Clock::Real().Now() + wait;
  std::vector<const mesh::bus::v1::Attachment*> wanted;
  for (const mesh::bus::v1::Attachment& attachment : turn.attachments()) {
    const media::Kind kind = media::KindOf(attachment.type());
    if (kind == media::Kind::kNone) continue;
    if (wanted.size() == media::kFilesPerTurnMax) {  // the model is told of more in words alone
      ++media->left_out_;
      continue;
    }
    wanted.push_back(&attachment);
    media->items_.push_back({.kind = kind, .fetched = std::nullopt});
  }
  if (fetcher == nullptr) loop->Post([media] { media->GoOn(); });
  for (std::size_t i = 0; fetcher != nullptr && i < wanted.size(); ++i) {
    fetcher->Fetch({.book = book,
                    .account = account,
                    .attachment = *wanted[i],
                    .turn_id = turn.turn_id(),
                    .index = i,
                    .deadline = deadline},
                   [loop, media, i](media::Fetched fetched) {
                     loop->Post([media, i, fetched = std::move(fetched)] { media->OnFetched(i, fetched); });
                   });
  }
  loop->PostAfter(wait, [waiting = std::weak_ptr<TurnMedia>(media)] {
    if (const std::shared_ptr<TurnMedia> late = waiting.lock()) late->GoOn();
  });
  return media;
}

void TurnMedia::OnFetched(std::size_t index, media::Fetched fetched) {
  items_[index].fetched = std::move(fetched);
  if (std::ranges::all_of(items_, [](const Item& item) { return item.fetched.has_value(); })) GoOn();
}

void TurnMedia::GoOn() {
  if (on_done_) std::exchange(on_done_, nullptr)(Sentences());
}

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
