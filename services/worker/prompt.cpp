#include "services/worker/prompt.h"

#include <algorithm>
#include <cstring>

#include "libs/session/user_text.h"
#include "services/worker/disclosure.h"

namespace worker {
namespace {

// Chat templates wrap each message in a few control tokens; no known one uses more.
constexpr std::int32_t kTemplateTokensPerMessage = 8;

// The same turn draws the same tokens again after a crash, and different turns draw different ones.
std::uint64_t SeedOf(const mesh::bus::v1::Turn& turn) {
  std::uint64_t seed = 0;
  std::memcpy(&seed, turn.turn_id().data(), std::min(sizeof(seed), turn.turn_id().size()));
  return seed;
}

// A mode of a newer gateway counts as instant.
engine::Mode ModeOf(const mesh::bus::v1::Turn& turn) {
  switch (turn.mode()) {
    case mesh::bus::v1::MODE_THINKING:
      return engine::Mode::kThinking;
    case mesh::bus::v1::MODE_CONTEMPLATING:
      return engine::Mode::kContemplating;
    default:
      return engine::Mode::kInstant;
  }
}

// What the context leaves beside system prompt and message.
std::int32_t TokensLeft(const account::Account& account, const mesh::bus::v1::Turn& turn,
                        const engine::Engine& engine) {
  return engine.context_tokens_max() - PromptTokens(engine, account.system_prompt) -
         PromptTokens(engine, UserText(turn)) - PromptTokens(engine, "");
}

// Two messages of the user in a row, where the answer between them was never seen, become one: some chat templates
// insist on alternation.
void AppendUserMessage(engine::GenerationRequest& request, const std::string& text) {
  if (!request.messages.empty() && request.messages.back().role == engine::Role::kUser) {
    request.messages.back().content += "\n" + text;
  } else {
    request.messages.push_back({engine::Role::kUser, text});
  }
}

}  // namespace

std::string UserText(const mesh::bus::v1::Turn& turn) { return session::UserText(turn); }

std::int32_t PromptTokens(const engine::Engine& engine, std::string_view text) {
  return engine.CountTokens(text) + kTemplateTokensPerMessage;
}

std::int32_t AnswerTokensMax(const account::Account& account, const engine::Engine& engine) {
  return std::min(account.answer_tokens_max, engine.context_tokens_max());
}

bool LeavesNoRoomForAnswer(const account::Account& account, const mesh::bus::v1::Turn& turn,
                           const engine::Engine& engine) {
  return TokensLeft(account, turn, engine) < std::min(account.answer_tokens_max, engine.context_tokens_max() / 4);
}

std::int32_t HistoryTokensMax(const account::Account& account, const mesh::bus::v1::Turn& turn,
                              const engine::Engine& engine) {
  const std::int32_t answer = std::min(account.answer_tokens_max, engine.context_tokens_max() / 2);
  return std::clamp(TokensLeft(account, turn, engine) - answer, 0, account.history_tokens_max);
}

engine::GenerationRequest BuildGenerationRequest(const account::Account& account, const mesh::bus::v1::Turn& turn,
                                                 const mesh::session::v1::LoadContextResponse& loaded) {
  engine::GenerationRequest request;
  request.tenant = account.tenant;
  request.mode = ModeOf(turn);
  if (!account.system_prompt.empty()) request.messages.push_back({engine::Role::kSystem, account.system_prompt});
  for (const mesh::session::v1::HistoryTurn& past : loaded.history()) {
    AppendUserMessage(request, past.user_text());
    // A reply that failed or was superseded comes without text: the user never saw it.
    const std::string_view reply = WithoutDisclosure(account, past.reply_text());
    if (!reply.empty()) request.messages.push_back({engine::Role::kAssistant, std::string(reply)});
  }
  AppendUserMessage(request, UserText(turn));
  request.sampling.temperature = static_cast<float>(account.temperature);
  request.sampling.top_p = static_cast<float>(account.top_p);
  request.sampling.top_k = account.top_k;
  request.sampling.repetition_penalty = static_cast<float>(account.repetition_penalty);
  request.sampling.seed = SeedOf(turn);
  return request;
}

}  // namespace worker
