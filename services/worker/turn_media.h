#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account_book.h"
#include "libs/app/event_loop.h"
#include "libs/base/clock.h"
#include "libs/media/fetcher.h"
#include "libs/media/media_kind.h"
#include "proto/bus/v1/bus.pb.h"

namespace worker {

// What a turn brings along besides its text: fetched into the store, and told to the model, which reads text alone, in
// a sentence each, also of what could not be loaded. One for a turn: what has begun while it waits in its lane
// (media_ahead.h) is not fetched again when it runs.
//
// Threading: confined to the loop thread.
// Lifetime:  whoever waits for it keeps it. Its end gives up what has not begun to be fetched; the rest ends in the
//            store.
class TurnMedia : public std::enable_shared_from_this<TurnMedia> {
 public:
  // Whether there is anything to fetch.
  static bool Has(const mesh::bus::v1::Turn& turn);

  // Without a fetcher nothing is loaded, and the sentences say so.
  TurnMedia(app::EventLoop* loop, media::Fetcher* fetcher, std::shared_ptr<const account::AccountBook> book,
            const account::Account* account, const mesh::bus::v1::Turn& turn);
  ~TurnMedia();

  // Ahead of the turn: whether there is what was not asked for yet, and asks for the next of it.
  //   place : let go when that has come to its end, also when this is gone by then
  bool HasMore() const;
  void FetchOne(base::MonotonicTime deadline, std::shared_ptr<void> place);  // REQUIRES: HasMore()
  // The turn runs: asks for what is neither there nor on its way, and once more for what failed before the turn began
  // and may have done so for a moment alone, also where that shows only while it is waited for.
  void Fetch(base::MonotonicTime deadline);
  // `on_done(sentences)` runs once, on the loop thread and not before this returns: when nothing is on its way any
  // more, after `wait` at the latest.
  void Await(base::Duration wait, std::function<void(std::string)> on_done);
  // The turn goes on without what is not there yet.
  void GoOn();
  // Its user took the message back: what is on its way does not stay in the store.
  void TakeBack();
  // Its turn was finished before, by another record: what that has kept may stay, what came by this does not.
  void TakeBackNew();

 private:
  struct Item {
    media::Kind kind;
    mesh::bus::v1::Attachment attachment;
    std::optional<media::Fetched> fetched;  // of the last try that ended
    bool on_its_way = false;
    bool asked_by_run = false;

    bool IsToBeFetched() const;
  };
  // Which files fetches have brought anew, and whether they may stay: between the pool's threads, as each puts a file
  // into the store, and the loop.
  class News {
   public:
    bool MayStay(std::size_t index);
    std::vector<std::size_t> Refuse();  // those from now on; which came before

   private:
    std::mutex mutex_;
    bool refused_ = false;              // protected by mutex_
    std::vector<std::size_t> indices_;  // protected by mutex_
  };

  void Ask(std::size_t index, base::MonotonicTime deadline, std::shared_ptr<void> place);
  void GiveUpWhatHasNotBegun();
  media::StoreKey KeyOf(std::size_t index) const;
  void OnFetched(std::size_t index, media::Fetched fetched);
  bool AnyOnItsWay() const;
  std::string Sentences() const;

  app::EventLoop* const loop_;
  media::Fetcher* const fetcher_;
  const std::shared_ptr<const account::AccountBook> book_;  // keeps account_ alive
  const account::Account* const account_;
  const std::string turn_id_;
  const std::shared_ptr<std::atomic<media::Interest>> interest_ =
      std::make_shared<std::atomic<media::Interest>>(media::Interest::kWanted);
  const std::shared_ptr<News> news_ = std::make_shared<News>();
  base::MonotonicTime run_deadline_{};        // of Fetch
  std::function<void(std::string)> on_done_;  // empty while nobody waits
  std::vector<Item> items_;
  std::size_t left_out_ = 0;  // beyond media::kFilesPerTurnMax
};

// One attachment in words, as the model reads them; one that did not arrive in time has no `fetched`.
std::string MediaSentence(media::Kind kind, const std::optional<media::Fetched>& fetched);

// The user's message with what came along.
std::string WithMedia(const mesh::bus::v1::Turn& turn, std::string_view sentences);

}  // namespace worker
