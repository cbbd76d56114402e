#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libs/account/account_book.h"
#include "libs/engine/engine.h"
#include "libs/media/fetcher.h"
#include "libs/session/client.h"
#include "services/worker/reply_log.h"
#include "services/worker/solo_engine.h"

// The worker's peers, as tests script them.
namespace worker {

class FixedAccounts final : public account::AccountFile {
 public:
  explicit FixedAccounts(std::shared_ptr<const account::AccountBook> book) : book_(std::move(book)) {}
  std::shared_ptr<const account::AccountBook> current() const override { return book_; }
  std::int64_t reload_failures() const override { return 0; }

 private:
  const std::shared_ptr<const account::AccountBook> book_;
};

// A session service whose answers are scripted; without a script everything succeeds. Runs on the loop thread.
class ScriptedSession final : public session::Client {
 public:
  std::deque<absl::Status> load_failures;
  std::function<void()> on_load = [] {};
  mesh::session::v1::LoadContextResponse context;
  std::set<std::string> finished;                            // turn ids that are done, whatever `context` says
  std::vector<mesh::session::v1::LoadContextRequest> asked;  // failed ones too
  std::vector<mesh::session::v1::AppendTurnRequest> appended;
  std::deque<absl::Status> link_failures;
  std::vector<mesh::session::v1::LinkIdentityRequest> linked;  // failed ones too
  std::deque<absl::Status> control_failures;
  std::function<void()> on_control = [] {};
  std::vector<mesh::session::v1::SetControlRequest> controls;  // failed ones too
  std::deque<absl::Status> unsend_failures;
  std::vector<mesh::session::v1::UnsendRequest> unsent;  // failed ones too

  void LoadContext(const mesh::session::v1::LoadContextRequest& request, const CallOptions&,
                   Callback<mesh::session::v1::LoadContextResponse> on_done) override {
    on_load();
    asked.push_back(request);
    if (load_failures.empty()) {
      mesh::session::v1::LoadContextResponse response = context;
      if (finished.contains(request.turn_id())) response.set_done(true);
      return on_done(response);
    }
    on_done(std::exchange(load_failures.front(), absl::OkStatus()));
    load_failures.pop_front();
  }
  void AppendTurn(const mesh::session::v1::AppendTurnRequest& request, const CallOptions&,
                  Callback<mesh::session::v1::AppendTurnResponse> on_done) override {
    appended.push_back(request);
    on_done(mesh::session::v1::AppendTurnResponse());
  }
  void SetOutcome(const mesh::session::v1::SetOutcomeRequest&, const CallOptions&,
                  Callback<mesh::session::v1::SetOutcomeResponse> on_done) override {
    on_done(absl::UnimplementedError("not the worker's call"));
  }
  void LinkIdentity(const mesh::session::v1::LinkIdentityRequest& request, const CallOptions&,
                    Callback<mesh::session::v1::LinkIdentityResponse> on_done) override {
    linked.push_back(request);
    if (link_failures.empty()) return on_done(mesh::session::v1::LinkIdentityResponse());
    on_done(std::exchange(link_failures.front(), absl::OkStatus()));
    link_failures.pop_front();
  }
  void SetControl(const mesh::session::v1::SetControlRequest& request, const CallOptions&,
                  Callback<mesh::session::v1::SetControlResponse> on_done) override {
    controls.push_back(request);
    on_control();
    mesh::session::v1::SetControlResponse applied;
    applied.set_applied(true);
    if (control_failures.empty()) return on_done(applied);
    on_done(std::exchange(control_failures.front(), absl::OkStatus()));
    control_failures.pop_front();
  }
  void Unsend(const mesh::session::v1::UnsendRequest& request, const CallOptions&,
              Callback<mesh::session::v1::UnsendResponse> on_done) override {
    unsent.push_back(request);
    if (unsend_failures.empty()) return on_done(mesh::session::v1::UnsendResponse());
    on_done(std::exchange(unsend_failures.front(), absl::OkStatus()));
    unsend_failures.pop_front();
  }
  absl::StatusOr<mesh::session::v1::IsDoneResponse> IsDone(const mesh::session::v1::IsDoneRequest&,
                                                           const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  absl::StatusOr<mesh::session::v1::ForgetResponse> Forget(const mesh::session::v1::ForgetRequest&,
                                                           const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  absl::StatusOr<mesh::session::v1::GetSessionResponse> GetSession(const mesh::session::v1::GetSessionRequest&,
                                                                   const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  bool connected() const override { return true; }
};

// An engine in which every sequence runs until it is cancelled.
class EndlessEngine final : public engine::Engine {
 public:
  absl::StatusOr<engine::SequenceId> Submit(engine::GenerationRequest request,
                                            engine::ResultCallback on_done) override {
    std::lock_guard lock(mutex_);
    const engine::SequenceId id(++submissions_);
    running_.emplace(submissions_, std::move(on_done));
    last_request_ = std::move(request);
    changed_.notify_all();
    return id;
  }
  void Cancel(engine::SequenceId id) override { End(id, engine::FinishReason::kCancelled, ""); }
  void Answer(std::uint64_t submission, const std::string& text = "an answer") {  // from 1
    End(engine::SequenceId(submission), engine::FinishReason::kEndOfTurn, text);
  }
  // How many further sequences it says it has room for.
  void SetRoom(std::int32_t sequences) { room_ = sequences; }
  engine::Credit credit() const override {
    return {.blocks_free = 1000, .blocks_total = 1000, .block_size = 1000, .sequences_free = room_};
  }
  std::int32_t CountTokens(std::string_view) const override { return 1; }
  std::int32_t context_tokens_max() const override { return 1024; }
  std::string model_name() const override { return "endless"; }
  std::string device_name() const override { return "none"; }
  engine::EngineStats stats() const override { return {}; }
  bool alive() const override { return true; }

  // False when fewer sequences than `count` have been submitted within the time.
  bool WaitForSubmissions(std::uint64_t count, std::chrono::seconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return submissions_ >= count; });
  }
  std::string LastUserMessage() const {
    std::lock_guard lock(mutex_);
    return last_request_.messages.empty() ? "" : last_request_.messages.back().content;
  }
  base::MonotonicTime LastDeadline() const {
    std::lock_guard lock(mutex_);
    return last_request_.deadline;
  }

 private:
  void End(engine::SequenceId id, engine::FinishReason reason, std::string text) {
    engine::ResultCallback on_done;
    {
      std::lock_guard lock(mutex_);
      const auto it = running_.find(id.value());
      if (it == running_.end()) return;
      on_done = std::move(it->second);
      running_.erase(it);
    }
    engine::GenerationResult result;
    result.finish_reason = reason;
    result.text = std::move(text);
    on_done(std::move(result));
  }

  std::atomic<std::int32_t> room_{1000};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t submissions_ = 0;  // all below protected by mutex_
  std::map<std::uint64_t, engine::ResultCallback> running_;
  engine::GenerationRequest last_request_;
};

// A sacrificial child whose fate is scripted: each run takes the next outcome; without one it answers.
class ScriptedSoloEngine final : public SoloEngine {
 public:
  std::deque<SoloOutcome> outcomes;       // set before the runs
  std::function<void()> on_run = [] {};   // on the loop thread, before the outcome
  std::function<void(SoloOutcome)> held;  // with `hold`: the callback of the run that waits
  bool hold = false;
  int runs = 0;  // loop thread
  int stops = 0;

  static SoloOutcome Died() { return {.kind = SoloOutcome::Kind::kDied, .how = "signal 9"}; }

  void Run(engine::GenerationRequest request, std::function<void(SoloOutcome)> on_done) override {
    ++runs;
    on_run();
    if (hold) {
      held = std::move(on_done);
      return;
    }
    if (!outcomes.empty()) {
      SoloOutcome next = std::move(outcomes.front());
      outcomes.pop_front();
      return on_done(std::move(next));
    }
    engine::GenerationResult result;
    result.text = "alone: " + request.messages.back().content;
    on_done({.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = std::move(result)});
  }
  void Stop() override {
    ++stops;
    if (!held) return;
    engine::GenerationResult result;
    result.finish_reason = engine::FinishReason::kCancelled;
    std::exchange(held, nullptr)({.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = std::move(result)});
  }
};

// Answers by the attachment's id; without a script it keeps the callback, as a host that never answers would. Loop
// thread.
class ScriptedFetcher final : public media::Fetcher {
 public:
  std::map<std::string, media::Fetched> results;
  std::vector<media::FetchRequest> requests;
  std::vector<std::string> deleted;  // turn ids
  std::vector<media::StoreKey> deleted_files;
  int full_for = 0;              // so many deletions find no room
  std::atomic<bool> room{true};  // of fetches

  void Fetch(media::FetchRequest request, std::function<void(media::Fetched)> on_done) override {
    requests.push_back(request);
    const auto found = results.find(request.attachment.id());
    if (found != results.end()) return on_done(found->second);
    held_.emplace(requests.size() - 1, std::move(on_done));
  }
  bool has_room() const override { return room; }
  bool Delete(std::string, std::string turn_id) override {
    if (full_for > 0) {
      --full_for;
      return false;
    }
    deleted.push_back(std::move(turn_id));
    return true;
  }
  bool DeleteFile(media::StoreKey key) override {
    deleted_files.push_back(std::move(key));
    return true;
  }

  // REQUIRES: request number `index` is held
  void Answer(std::size_t index, media::Fetched fetched) { held_.extract(index).mapped()(std::move(fetched)); }

 private:
  std::map<std::size_t, std::function<void(media::Fetched)>> held_;
};

// A log of replies that holds one record at most.
class ScriptedReplyLog final : public ReplyLog {
 public:
  std::optional<FirstReply> first;
  std::deque<absl::Status> failures;
  std::vector<ReplyQuery> queries;

  void FindFirst(ReplyQuery query, Callback on_found) override {
    queries.push_back(query);
    if (!failures.empty()) {
      const absl::Status failure = failures.front();
      failures.pop_front();
      return on_found(failure);
    }
    on_found(first);
  }
};

// One development account on WhatsApp, "1" of the tenant "test".
//   fields : further lines of it, indented by four, or nothing
inline std::unique_ptr<FixedAccounts> AccountsOf(const std::string& test_name, const std::string& fields) {
  constexpr char kAccount[] = R"(accounts:
  - tenant: test
    channel: whatsapp
    account_id: "1"
    development: true
    app_secret_file: secret
    verify_token_file: secret
    access_token_file: secret
    graph_base_url: http://127.0.0.1:1
)";
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / test_name;
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "secret") << "secret";
  std::filesystem::permissions(folder / "secret", std::filesystem::perms::owner_read);
  std::ofstream(folder / "accounts.yaml") << kAccount << fields;
  auto book = account::AccountBook::Load(folder / "accounts.yaml");
  EXPECT_TRUE(book.ok()) << book.status();
  std::filesystem::remove_all(folder);
  return std::make_unique<FixedAccounts>(*book);
}

}  // namespace worker
