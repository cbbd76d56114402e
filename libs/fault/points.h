#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace fault {

// Every place where a test may break a process. Adding one: a line here and `fault::Here("its_name");` there.
struct PointSpec {
  std::string_view name;
  std::string_view service;  // the process that passes it
  std::string_view where;
};

inline constexpr std::array kPoints = {
    PointSpec{"gateway_persisted", "gateway", "the broker has all records of a webhook, no answer was given yet"},
    PointSpec{"worker_engine_step", "worker", "a sequence takes part in its first step, and with it all of its batch"},
    PointSpec{"worker_generated", "worker", "the engine has answered, nothing is written yet"},
    PointSpec{"worker_reply_written", "worker", "the reply is in the log, the history does not have it yet"},
    PointSpec{"worker_supersede_written", "worker",
              "a withdrawal is in the log, the history does not have the words yet"},
    PointSpec{"worker_notice_written", "worker", "the notice of a turn given up is in the log, its dead letter is not"},
    PointSpec{"worker_dead_letter_written", "worker", "notice and dead letter are in the log, the history has neither"},
    PointSpec{"worker_turn_done", "worker", "the turn is finished but not marked done, so not committed"},
    PointSpec{"sender_planned", "sender", "PLAN was read back, no CLAIM yet"},
    PointSpec{"sender_claimed", "sender", "CLAIM was read back, lease and ledger not checked yet"},
    PointSpec{"sender_posted", "sender", "the Graph API has answered or failed, no SENT yet"},
    PointSpec{"sender_sent", "sender", "SENT was read back, the record is not marked done"},
    PointSpec{"sender_reply_done", "sender", "outcome reported, the record is not marked done"},
    PointSpec{"session_turn_appended", "session", "the store has the turn, the caller has no answer"},
};

}  // namespace fault
