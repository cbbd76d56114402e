// The pool with its real HTTP client against servers that misbehave on the wire. What is fetched from where, and kept
// or not: one_fetch_test.cpp.
#include "libs/media/fetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/media/internal/fetch_client.h"
#include "tests/integration/harness/wait.h"
#include "tests/libs/http/scripted_server.h"
#include "tests/libs/media/memory_store.h"

namespace media {
namespace {

using http::test::Peer;
using http::test::ScriptedServer;
using std::chrono::milliseconds;
using std::chrono::minutes;

class FetcherTest : public testing::Test {
 protected:
  void Make(const FetcherOptions& options = {}) {
    auto fetcher = Fetcher::Create(options, std::make_unique<MemoryStore>(&files_), "test", metrics_);
    ASSERT_TRUE(fetcher.ok()) << fetcher.status();
    fetcher_ = *std::move(fetcher);
  }

  // A development account, whose Graph API is `server`, got an image of which it knows the URL.
  std::future<Fetched> Fetch(const ScriptedServer& server, base::Duration patience = minutes(1)) {
    account::Account account;
    account.tenant = "test";
    account.channel = mesh::bus::v1::CHANNEL_MESSENGER;
    account.development = true;
    account.graph_base_url = server.Url("");
    auto book = std::make_shared<const account::AccountBook>(std::vector{account});
    FetchRequest request{.book = book, .account = &book->accounts().front()};
    request.attachment.set_type("image");
    request.attachment.set_url(server.Url("/image"));
    request.turn_id = kTurnId;
    request.interest = interest_;
    request.deadline = base::Clock::Real().Now() + patience;
    auto promise = std::make_shared<std::promise<Fetched>>();
    fetcher_->Fetch(std::move(request), [promise](Fetched fetched) { promise->set_value(std::move(fetched)); });
    return promise->get_future();
  }

  static std::string PathOf(std::size_t index) { return StoreKey{"test", kTurnId, index}.Path().value(); }

  double Count(std::string_view result) const {
    const std::string series = base::StrCat("test_media_fetches_total{channel=\"messenger\",result=\"", result, "\"} ");
    const std::string text = metrics_.ToPrometheusText();
    const std::size_t at = text.find(series);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size()));
  }

  telemetry::Registry metrics_;
  std::map<std::string, std::string> files_;
  std::unique_ptr<Fetcher> fetcher_;
  std::shared_ptr<std::atomic<Interest>> interest_ = std::make_shared<std::atomic<Interest>>(Interest::kWanted);
};

// Where a public name may resolve to, at the moment of connecting.
TEST_F(FetcherTest, TheClientForPublicHostsConnectsToNoPrivateAddress) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  const auto ask = [&](internal::Route route, const std::string& host) {
    auto client = internal::MakeFetchClient(route, {}, "test", metrics_);
    EXPECT_TRUE(client.ok());
    return (*client)->SendAndWait({.method = "GET",
                                   .url = base::StrCat("http://", host, ":", server.port(), "/"),
                                   .deadline = base::Clock::Real().Now() + minutes(1)});
  };
  for (const char* host : {"localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"}) {
    EXPECT_EQ(ask(internal::Route::kPublic, host).failure.status.code(), absl::StatusCode::kPermissionDenied) << host;
  }
  EXPECT_EQ(server.connections(), 0);
  EXPECT_EQ(ask(internal::Route::kGraph, "localhost").response.body, "ok") << "the operator's own choice";
}

TEST_F(FetcherTest, WhatIsNoHostIsSaidAtTheStart) {
  const auto fetcher = Fetcher::Create({.hosts_more = {"media.example.com:443"}},
                                       std::make_unique<MemoryStore>(&files_), "test", metrics_);
  EXPECT_EQ(fetcher.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(fetcher.status().message()).find("--media-hosts"), std::string::npos);
}

TEST_F(FetcherTest, AFileIsStoredAndCounted) {
  const std::string png = TinyPng();
  std::string asked;
  ScriptedServer server([&](int, Peer& peer) {
    asked = peer.ReadRequest();
    peer.Send(base::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", png.size(), "\r\n\r\n", png));
  });
  Make();
  const Fetched fetched = Fetch(server).get();
  ASSERT_EQ(fetched.result, Result::kStored) << fetched.detail;
  EXPECT_EQ(files_.at(PathOf(0)), png);
  EXPECT_EQ(Count("stored"), 1);
  EXPECT_NE(asked.find("\r\nAccept-Encoding: identity\r\n"), std::string::npos) << asked;
}

// Goal: a user who takes a message back takes its files along, and nobody else's.
TEST_F(FetcherTest, TheFilesOfATurnAreDeletedTogether) {
  const std::string another = StoreKey{"test", std::string(32, 'x'), 0}.Path().value();
  files_ = {{PathOf(0), "a picture"}, {PathOf(7), "another"}, {another, "a picture"}};
  Make();
  EXPECT_TRUE(fetcher_->Delete("test", kTurnId));
  fetcher_.reset();  // what was asked for is done first
  EXPECT_EQ(files_, (std::map<std::string, std::string>{{another, "a picture"}}));
}

TEST_F(FetcherTest, AFileIsDeletedAlone) {
  files_ = {{PathOf(0), "a picture"}, {PathOf(1), "another"}, {PathOf(2), "a third"}};
  Make();
  EXPECT_TRUE(fetcher_->DeleteFile({"test", kTurnId, 1}));
  fetcher_.reset();
  EXPECT_EQ(files_, (std::map<std::string, std::string>{{PathOf(0), "a picture"}, {PathOf(2), "a third"}}));
}

// A store whose deletions wait until they may go on.
class SlowStore final : public Store {
 public:
  explicit SlowStore(std::shared_future<void> may_go_on) : may_go_on_(std::move(may_go_on)) {}
  absl::Status Put(const StoreKey&, std::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<std::string> Get(const StoreKey&) override { return absl::NotFoundError("no such file"); }
  absl::Status Delete(const StoreKey&) override {
    may_go_on_.wait();
    return absl::OkStatus();
  }
  void Expire() override {}

 private:
  const std::shared_future<void> may_go_on_;
};

// Goal: no deletion is lost in silence: who asks learns that there is no room, and the log what was left at the end.
TEST_F(FetcherTest, DeletionsThatFindNoRoomAreToBeAskedForAgainAndWhatIsLeftIsSaid) {
  std::promise<void> may_go_on;
  auto fetcher = Fetcher::Create({}, std::make_unique<SlowStore>(may_go_on.get_future().share()), "test", metrics_);
  ASSERT_TRUE(fetcher.ok());
  int taken = 0;
  while (taken < 10'000 && (*fetcher)->Delete("test", kTurnId)) ++taken;
  EXPECT_GE(taken, 4096);
  EXPECT_LE(taken, 4097) << "one is under way";
  EXPECT_FALSE((*fetcher)->DeleteFile({"test", kTurnId, 0}));
  testing::internal::CaptureStderr();
  std::thread end([&] { fetcher->reset(); });
  std::this_thread::sleep_for(milliseconds(1200));  // more than the end gives them
  may_go_on.set_value();
  end.join();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("media_not_deleted"), std::string::npos) << log;
  EXPECT_NE(log.find(base::StrCat("\"turns\":", taken)), std::string::npos) << log;
  EXPECT_EQ(log.find("media_not_deleted"), log.rfind("media_not_deleted")) << "one line, not thousands";
}

TEST_F(FetcherTest, AFullQueueSaysThatItHasNoRoom) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  Make({.fetches_max = 1, .queue_max = 1});
  EXPECT_TRUE(fetcher_->has_room());
  std::future<Fetched> running = Fetch(server);
  ASSERT_TRUE(harness::WaitUntil([&] { return server.connections() > 0; }));
  EXPECT_TRUE(fetcher_->has_room());
  std::future<Fetched> waiting = Fetch(server);
  EXPECT_FALSE(fetcher_->has_room());
  fetcher_.reset();
}

TEST_F(FetcherTest, WhatNobodyWaitsForIsNotBegun) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  Make({.fetches_max = 1});
  std::future<Fetched> running = Fetch(server, milliseconds(200));
  std::future<Fetched> waiting = Fetch(server);
  ASSERT_TRUE(harness::WaitUntil([&] { return server.connections() > 0; }));
  interest_->store(Interest::kOver);
  running.wait();
  waiting.wait();
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(Count("late"), 1) << "and is not counted as lost";
}

// Goal: a message that is taken back while its file is on its way leaves none behind.
// Method: it is taken back when the last byte of the file is about to be sent.
TEST_F(FetcherTest, WhatIsTakenBackMeanwhileDoesNotStay) {
  const std::string png = TinyPng();
  ScriptedServer server([&](int, Peer& peer) {
    peer.ReadRequest();
    interest_->store(Interest::kTakenBack);
    EXPECT_TRUE(fetcher_->Delete("test", kTurnId));
    peer.Send(base::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", png.size(), "\r\n\r\n", png));
  });
  Make();
  EXPECT_EQ(Fetch(server).get().result, Result::kStored);
  fetcher_.reset();  // with its threads, which look at files_ too
  EXPECT_TRUE(files_.empty());
}

// Goal: the same where the turn is over, so that nothing of it but the fetch is left; and no other turn's file goes.
// Method: the deletion is through long before the file comes.
TEST_F(FetcherTest, WhatIsDeletedWhileItIsFetchedDoesNotStay) {
  const std::string png = TinyPng();
  for (const bool is_its_own : {true, false}) {
    interest_->store(Interest::kWanted);
    ScriptedServer server([&](int, Peer& peer) {
      peer.ReadRequest();
      interest_->store(Interest::kOver);
      EXPECT_TRUE(fetcher_->Delete("test", is_its_own ? kTurnId : std::string(32, 'x')));
      std::this_thread::sleep_for(milliseconds(50));
      peer.Send(base::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", png.size(), "\r\n\r\n", png));
    });
    Make();
    EXPECT_EQ(Fetch(server).get().result, Result::kStored);
    fetcher_.reset();
    EXPECT_EQ(files_.size(), is_its_own ? 0u : 1u);
  }
}

// Goal: a fetch knows whether a file is there because of it. Two records of one message, as a retried webhook makes
// them, are fetched side by side: one of them has brought it.
TEST_F(FetcherTest, WhatAnotherFetchBringsIsNotNew) {
  const std::string png = TinyPng();
  std::promise<void> both_run;
  std::shared_future<void> begin = both_run.get_future().share();
  ScriptedServer server([&](int, Peer& peer) {
    peer.ReadRequest();
    begin.wait();
    peer.Send(base::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", png.size(), "\r\n\r\n", png));
  });
  Make({.fetches_max = 2});
  std::future<Fetched> first = Fetch(server);
  ASSERT_TRUE(harness::WaitUntil([&] { return server.connections() > 0; }));
  std::future<Fetched> second = Fetch(server);
  ASSERT_TRUE(harness::WaitUntil([&] { return server.connections() > 1; }));
  both_run.set_value();
  EXPECT_FALSE(first.get().was_kept);
  EXPECT_TRUE(second.get().was_kept);
  EXPECT_TRUE(Fetch(server).get().was_kept) << "it is there";
}

// Of a body without end no more is taken than a file may have, whether it says its size or not.
TEST_F(FetcherTest, AnEndlessBodyIsCutOff) {
  for (const char* framing : {"Connection: close\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const bool is_chunked = std::string(framing).starts_with("T");
    ScriptedServer server([&](int, Peer& peer) {
      peer.ReadRequest();
      peer.Send(base::StrCat("HTTP/1.1 200 OK\r\n", framing, "\r\n"));
      const std::string piece(4096, 'x');
      for (int i = 0; i < 100'000; ++i) peer.Send(is_chunked ? base::StrCat("1000\r\n", piece, "\r\n") : piece);
    });
    Make({.bytes_max = 100'000});
    EXPECT_EQ(Fetch(server).get().result, Result::kTooLarge) << framing;
    fetcher_.reset();
  }
  EXPECT_EQ(Count("too_large"), 2);
}

TEST_F(FetcherTest, AnAnnouncedSizeThatIsTooLargeIsNotWaitedFor) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    peer.WaitUntilClosed();
  });
  Make();
  EXPECT_EQ(Fetch(server).get().result, Result::kTooLarge);
}

TEST_F(FetcherTest, ABodyThatDripsIsCutOffByTheDeadline) {
  ScriptedServer server([](int, Peer& peer) {
    peer.ReadRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
      peer.Send("x");
      std::this_thread::sleep_for(milliseconds(50));
    }
    peer.WaitUntilClosed();
  });
  Make();
  EXPECT_EQ(Fetch(server, milliseconds(200)).get().result, Result::kLate);
}

TEST_F(FetcherTest, AFullQueueAnswersAtOnceAndTheEndAnswersAll) {
  ScriptedServer server([](int, Peer& peer) { peer.WaitUntilClosed(); });
  Make({.fetches_max = 1, .queue_max = 1});
  std::future<Fetched> running = Fetch(server);
  ASSERT_TRUE(harness::WaitUntil([&] { return server.connections() > 0; }));
  std::future<Fetched> waiting = Fetch(server);
  EXPECT_EQ(Fetch(server).get().result, Result::kBusy);
  fetcher_.reset();
  EXPECT_EQ(running.get().result, Result::kUnavailable);
  EXPECT_EQ(waiting.get().result, Result::kUnavailable);
}

}  // namespace
}  // namespace media
