#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/crypto/digest.h"
#include "libs/redis/pool.h"
#include "libs/session/store.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/wait.h"

namespace session {

namespace v1 = mesh::session::v1;

inline base::MonotonicTime Soon() { return base::Clock::Real().Now() + std::chrono::seconds(5); }

inline std::string TurnIdOf(std::string_view name) { return std::string(crypto::AsBytes(crypto::Sha256(name))); }

inline mesh::bus::v1::ConversationId Conversation(const std::string& user, const std::string& tenant = "tenant") {
  mesh::bus::v1::ConversationId id;
  id.set_tenant(tenant);
  id.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  id.set_account("account");
  id.set_user(user);
  return id;
}

// A turn named by its place in `turns`: texts, ids and sizes follow from it.
inline v1::HistoryTurn TurnAt(std::int64_t turns_offset, std::int64_t replies_offset, const std::string& reply = "") {
  v1::HistoryTurn turn;
  turn.set_turn_id(TurnIdOf("turn " + std::to_string(turns_offset)));
  turn.set_user_text("question " + std::to_string(turns_offset));
  turn.set_reply_text(reply.empty() ? "answer " + std::to_string(turns_offset) : reply);
  turn.set_user_tokens(10);
  turn.set_reply_tokens(20);
  turn.set_accepted_at_ms(1'700'000'000'000 + turns_offset);
  turn.set_turns_offset(turns_offset);
  turn.set_replies_offset(replies_offset);
  return turn;
}

// A Store over a real redis-server, one server for all tests of a suite, emptied before each test.
class StoreFixture : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    auto started = harness::RedisServer::StartNew();
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started).release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  void SetUp() override {
    redis_.port = server_->port();
    redis_.pool_size = 8;
    auto pool = redis::Pool::Create(redis_, "test", metrics_);
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    Redis({"FLUSHALL"});
    MakeStore();
  }
  void MakeStore() { store_ = std::make_unique<Store>(pool_.get(), options_); }

  redis::Reply Redis(const redis::Command& command) {
    auto reply = pool_->Run(command, Soon());
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *reply : redis::Reply{};
  }

  bool Append(const mesh::bus::v1::ConversationId& conversation, const v1::HistoryTurn& turn) {
    v1::AppendTurnRequest request;
    *request.mutable_conversation() = conversation;
    *request.mutable_turn() = turn;
    const auto response = store_->AppendTurn(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() && response->applied();
  }
  v1::SetOutcomeRequest OutcomeOf(const mesh::bus::v1::ConversationId& conversation, const std::string& turn_id,
                                  v1::Outcome outcome) {
    v1::SetOutcomeRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(turn_id);
    request.set_outcome(outcome);
    return request;
  }
  void Set(const v1::SetOutcomeRequest& request) {
    const auto response = store_->SetOutcome(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
  }
  v1::LoadContextResponse Load(const mesh::bus::v1::ConversationId& conversation, const std::string& turn_id,
                               std::int32_t tokens_max = 1'000'000) {
    v1::LoadContextRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(turn_id);
    request.set_history_tokens_max(tokens_max);
    const auto response = store_->LoadContext(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::LoadContextResponse{};
  }
  std::vector<v1::HistoryTurn> Turns(const mesh::bus::v1::ConversationId& conversation, std::int32_t turns_max = 1000) {
    v1::GetSessionRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turns_max(turns_max);
    const auto response = store_->GetSession(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    return {response->turns().begin(), response->turns().end()};
  }
  std::int64_t Forget(const mesh::bus::v1::ConversationId& conversation, std::int64_t turns_offset = 0) {
    v1::ForgetRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turns_offset(turns_offset);
    const auto response = store_->Forget(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->turns_deleted() : -1;
  }
  v1::LinkIdentityResponse Link(const mesh::bus::v1::ConversationId& from, const mesh::bus::v1::ConversationId& to,
                                std::int64_t changed_at_ms) {
    v1::LinkIdentityRequest request;
    *request.mutable_old_conversation() = from;
    *request.mutable_new_conversation() = to;
    request.set_changed_at_ms(changed_at_ms);
    const auto response = store_->LinkIdentity(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::LinkIdentityResponse{};
  }
  bool Done(const std::string& turn_id) {
    v1::IsDoneRequest request;
    request.add_turn_ids(turn_id);
    const auto response = store_->IsDone(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() && response->done(0);
  }

  static inline harness::RedisServer* server_ = nullptr;
  redis::RedisOptions redis_;
  StoreOptions options_;
  telemetry::Registry metrics_;
  std::unique_ptr<redis::Pool> pool_;
  std::unique_ptr<Store> store_;
};

inline std::vector<std::int64_t> OffsetsOf(const std::vector<v1::HistoryTurn>& turns) {
  std::vector<std::int64_t> offsets;
  for (const v1::HistoryTurn& turn : turns) offsets.push_back(turn.turns_offset());
  return offsets;
}

}  // namespace session
