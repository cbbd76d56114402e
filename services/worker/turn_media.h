#pragma once

#include <cstddef>
#include <functional>
#include <memory>
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
// a sentence each, also of what could not be loaded.
//
// Threading: confined to the loop thread. Lifetime: kept alive by what it waits for.
class TurnMedia : public std::enable_shared_from_this<TurnMedia> {
 public:
  // Whether there is anything to fetch.
  static bool Has(const mesh::bus::v1::Turn& turn);

  // `on_done(sentences)` runs once, on the loop thread and not before this returns: when everything is there or given
  // up, after `wait` at the latest. Without a fetcher nothing is loaded, and the sentences say so.
  static std::shared_ptr<TurnMedia> Start(app::EventLoop* loop, media::Fetcher* fetcher,
                                          std::shared_ptr<const account::AccountBook> book,
                                          const account::Account* account, const mesh::bus::v1::Turn& turn,
                                          base::Duration wait, std::function<void(std::string)> on_done);
  // The turn goes on without what is not there yet.
  void GoOn();

  TurnMedia(std::function<void(std::string)> on_done) : on_done_(std::move(on_done)) {}

 private:
  struct Item {
    media::Kind kind;
    std::optional<media::Fetched> fetched;  // unset while it is waited for
  };

  void OnFetched(std::size_t index, media::Fetched fetched);
  std::string Sentences() const;

  std::function<void(std::string)> on_done_;  // empty once called
  std::vector<Item> items_;
  std::size_t left_out_ = 0;  // beyond media::kFilesPerTurnMax
};

// One attachment in words, as the model reads them; a turn whose time was up has no `fetched`.
std::string MediaSentence(media::Kind kind, const std::optional<media::Fetched>& fetched);

// The user's message with what came along.
std::string WithMedia(const mesh::bus::v1::Turn& turn, std::string_view sentences);

}  // namespace worker
