#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libs/base/clock.h"
#include "libs/http/internal/answer_queue.h"
#include "libs/http/internal/io_thread.h"
#include "libs/http/internal/message_parser.h"
#include "libs/http/internal/read_buffer.h"
#include "libs/http/internal/server_state.h"

namespace http::internal {

// One accepted connection: reads requests, hands them to their routes' handlers and writes the answers in request
// order. Reading goes on while answers are owed, up to the pipeline limits; reading and writing are two independent
// activities.
//
// Threading: everything on the io thread, except that answers arrive through its mailbox.
// Lifetime:  shared by its pending socket operations and its listener; closed once, then inert.
class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  using Closed = std::function<void(ServerConnection*)>;

  ServerConnection(boost::asio::ip::tcp::socket socket, std::string peer, std::shared_ptr<ServerState> state,
                   IoThread& io, Closed on_closed);

  void Start();
  void GiveAnswer(std::uint64_t number, Response response);
  void BeginDrain();  // what has begun to arrive is still answered, then the connection closes
  void Close();

 private:
  enum class Phase { kHeader, kBody };

  // Reading
  void Advance();
  bool AdvanceHeader();
  bool AdvanceBody();
  bool BeginRequest(RequestHead head);
  bool AnswerWithoutRoute(const RequestHead& head, const ServerState::Match& match);
  void Dispatch();
  bool Refuse(Refusal refusal);  // returns false, for `return Refuse(...)`
  bool MayStartRequest() const;
  bool MidRequest() const { return phase_ == Phase::kBody || !buffer_.empty(); }
  void Read();
  void OnRead(const boost::system::error_code& error, std::size_t count);
  void Discard(const boost::system::error_code& error, std::size_t count);

  // Writing
  void Write();
  void WriteSome();
  void OnWritten(const boost::system::error_code& error, std::size_t count);
  void FinishWriting();

  // Time
  std::optional<base::MonotonicTime> NextDeadline() const;
  base::MonotonicTime ReadDeadline() const;
  void UpdateTimer();
  void OnTimer();

  bool ChargeBody();
  void Release(std::int64_t body_bytes);

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  const std::string peer_;
  const std::shared_ptr<ServerState> state_;
  const std::shared_ptr<Mailbox> mailbox_;
  Closed on_closed_;

  // The request being read
  Phase phase_ = Phase::kHeader;
  ReadBuffer buffer_;
  std::size_t scanned_ = 0;                            // bytes of buffer_ without the end of a header
  std::optional<base::MonotonicTime> header_started_;  // unset while no byte of the next request is there
  base::MonotonicTime body_started_;
  base::MonotonicTime body_progress_;
  std::unique_ptr<RequestParser> parser_;
  Request request_;
  const RouteEntry* entry_ = nullptr;
  bool close_after_request_ = false;
  std::int64_t charged_ = 0;  // bytes of the body being read that count in the server's budget

  AnswerQueue answers_;
  std::string out_;
  std::size_t written_ = 0;
  base::MonotonicTime write_progress_;
  base::MonotonicTime idle_since_;
  base::MonotonicTime linger_until_;
  std::int64_t discarded_ = 0;
  std::optional<base::MonotonicTime> timer_armed_for_;

  bool reading_ = false;      // a read is pending
  bool writing_ = false;      // a write is pending
  bool starved_ = true;       // parsing stopped for want of bytes, not of room in the pipeline
  bool read_closed_ = false;  // no further request is read
  bool refused_ = false;      // the peer may be sending what nobody reads
  bool close_after_write_ = false;
  bool lingering_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace http::internal
