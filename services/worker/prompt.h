#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/engine/engine.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace worker {

// What the model reads as the user's message: the text, or a sentence that names what came without text.
std::string UserText(const mesh::bus::v1::Turn& turn);

// What one message costs inside a prompt: its tokens and those of the chat template around it.
std::int32_t PromptTokens(const engine::Engine& engine, std::string_view text);

// The longest answer: what the account allows, within what the model's context can hold at all.
std::int32_t AnswerTokensMax(const account::Account& account, const engine::Engine& engine);

// Whether system prompt and message alone leave less of the context than an answer is to have: the answer would be cut
// short, or there would be none. It is to have what the account allows, or a quarter of the context.
bool LeavesNoRoomForAnswer(const account::Account& account, const mesh::bus::v1::Turn& turn,
                           const engine::Engine& engine);

// Room for history: what the account allows, within what the context leaves beside system prompt, message and answer.
// An account that allows answers as long as the context keeps half of it for what was said.
std::int32_t HistoryTokensMax(const account::Account& account, const mesh::bus::v1::Turn& turn,
                              const engine::Engine& engine);

// System prompt, history oldest first, the message; sampling and limits of the account. Deadline and the longest
// answer are left to the caller.
engine::GenerationRequest BuildGenerationRequest(const account::Account& account, const mesh::bus::v1::Turn& turn,
                                                 const mesh::session::v1::LoadContextResponse& loaded);

}  // namespace worker
