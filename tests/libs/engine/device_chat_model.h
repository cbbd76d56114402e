#pragma once

#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {

// The chat model in the smallest shape that the device kernels take.
inline model::TinyLlama DeviceChatModel() {
  model::TinyLlama tiny = TinyChatModel();
  tiny.layers = 1;
  tiny.width = 128;
  tiny.heads = 2;
  tiny.kv_heads = 1;
  return tiny;
}

}  // namespace engine
