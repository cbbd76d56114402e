#pragma once

#include "libs/redis/script.h"

namespace session::internal {

// The scripts of libs/session/scripts, each with its preamble. KEYS, ARGV and the answer are described in each file.
struct Scripts {
  Scripts();

  redis::Script append_turn;
  redis::Script set_outcome;
  redis::Script load_context;
  redis::Script get_session;
  redis::Script forget;
  redis::Script link;
  redis::Script set_control;
  redis::Script unsend;
  redis::Script export_conversation;
  redis::Script import_conversation;
  redis::Script mark_done;
  redis::Script is_done;
};

}  // namespace session::internal
