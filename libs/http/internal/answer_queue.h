#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/http/internal/server_state.h"
#include "libs/http/message.h"

namespace http::internal {

// Writes one response as HTTP/1.1 bytes with Content-Length framing. Field names and values that would break the
// framing lose the offending bytes. `is_head`: without the body, with its length.
void AppendResponse(const Response& response, bool is_head, bool close, std::string_view date, std::string* out);

// The current time as an IMF-fixdate (RFC 9110, 5.6.7); made once a second and thread.
std::string_view HttpDate();

// The answers one connection owes, in the order of its requests: what is answered early waits here for its turn.
// Threading: none; belongs to the connection's io thread. No I/O.
class AnswerQueue {
 public:
  struct Expected {
    const RouteEntry* entry = nullptr;
    bool is_head = false;
    bool close_after = false;
    base::MonotonicTime started;
    base::MonotonicTime deadline;
    std::int64_t body_bytes = 0;  // of the request; given back when it is answered
  };

  // Returns the number under which the answer is given.
  std::uint64_t Expect(const Expected& expected);
  // The same with the answer known at once.
  void PushAnswered(const Expected& expected, Response response);
  // Bytes that are no final answer (100 Continue), sent in turn.
  void PushInterim(std::string bytes);

  // Counts the answer. The number of request body bytes that it frees; nullopt when the number is unknown or answered.
  std::optional<std::int64_t> Answer(std::uint64_t number, Response response, base::MonotonicTime now);

  // Appends every answer whose turn has come, up to about `bytes_max`. True: the connection closes after these bytes.
  // `close_after_last`: the answer that empties the queue closes the connection.
  bool TakeReady(std::size_t bytes_max, bool close_after_last, std::string* out);

  // The first answer owed and not given that is due at `now`; nullopt when there is none.
  std::optional<std::uint64_t> FindOverdue(base::MonotonicTime now) const;
  // The earliest deadline of those not given.
  std::optional<base::MonotonicTime> NextDeadline() const;

  bool empty() const { return slots_.empty(); }
  std::size_t size() const { return slots_.size(); }
  std::int64_t body_bytes() const { return body_bytes_; }  // of requests not answered

 private:
  struct Slot {
    Expected expected;
    bool answered = false;
    std::string interim;  // not empty: sent as it is
    Response response;
  };

  std::deque<Slot> slots_;
  std::uint64_t first_number_ = 0;  // of slots_.front()
  std::int64_t body_bytes_ = 0;
};

}  // namespace http::internal
