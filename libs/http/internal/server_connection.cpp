#include "libs/http/internal/server_connection.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include "libs/base/str_cat.h"
#include "libs/http/internal/request_target.h"
#include "libs/telemetry/log.h"

namespace http::internal {
namespace {

constexpr std::size_t kHeaderReadBytes = 4 * 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;
constexpr std::size_t kWriteBytesMax = 64 * 1024;  // answers gathered into one write; a larger one goes alone
// A refused sender may still be sending. Closing at once would reset the connection and destroy the answer on its way
// (RFC 9112, 9.6), so the rest is read and dropped for a while.
constexpr auto kLingerTimeout = std::chrono::seconds(2);
constexpr std::int64_t kLingerBytesMax = 16 << 20;

base::MonotonicTime Now() { return std::chrono::steady_clock::now(); }

// The one right to answer a request. Destroyed unused, it answers 500.
class PendingAnswer {
 public:
  PendingAnswer(std::shared_ptr<Mailbox> mailbox, std::weak_ptr<ServerConnection> connection, std::uint64_t number)
      : mailbox_(std::move(mailbox)), connection_(std::move(connection)), number_(number) {}
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;
  ~PendingAnswer() { Give({.status = 500, .headers = {}, .body = "no answer was given\n"}); }

  void Give(Response response) {
    if (given_.exchange(true)) return;
    mailbox_->Post([connection = std::move(connection_), number = number_, answer = std::move(response)]() mutable {
      if (const auto alive = connection.lock()) alive->GiveAnswer(number, std::move(answer));
    });
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  std::weak_ptr<ServerConnection> connection_;
  const std::uint64_t number_;
  std::atomic<bool> given_{false};
};

}  // namespace

ServerConnection::ServerConnection(boost::asio::ip::tcp::socket socket, std::string peer,
                                   std::shared_ptr<ServerState> state, IoThread& io, Closed on_closed)
    : socket_(std::move(socket)),
      timer_(io.context()),
      peer_(std::move(peer)),
      state_(std::move(state)),
      mailbox_(io.shared_mailbox()),
      on_closed_(std::move(on_closed)) {}

void ServerConnection::Start() {
  // The first header's time runs from the connection on: one that never speaks is not idle but slow.
  header_started_ = Now();
  Read();
  UpdateTimer();
}

void ServerConnection::GiveAnswer(std::uint64_t number, Response response) {
  if (closed_) return;
  const auto freed = answers_.Answer(number, std::move(response), Now());
  if (!freed) return;
  Release(*freed);
  Advance();
}

void ServerConnection::BeginDrain() {
  if (closed_) return;
  draining_ = true;
  if (answers_.empty() && !writing_ && !MidRequest()) return Close();
  Advance();
}

void ServerConnection::Close() {
  if (closed_) return;
  closed_ = true;
  Release(answers_.body_bytes() + std::exchange(charged_, 0));
  boost::system::error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
  state_->CloseConnection(peer_);
  if (const Closed on_closed = std::exchange(on_closed_, nullptr)) on_closed(this);
}

// --- Reading ---

void ServerConnection::Advance() {
  // While a read is pending everything there has been parsed, and its memory must not move.
  while (!reading_ && !read_closed_ && (phase_ == Phase::kHeader ? AdvanceHeader() : AdvanceBody())) {
  }
  Write();
  if (closed_) return;
  Read();
  UpdateTimer();
}

bool ServerConnection::MayStartRequest() const {
  if (draining_ && !MidRequest()) return false;
  return answers_.size() < static_cast<std::size_t>(state_->options.pipeline_max) &&
         answers_.body_bytes() < state_->options.pipeline_body_bytes_max;
}

bool ServerConnection::AdvanceHeader() {
  starved_ = buffer_.empty();
  if (starved_ || !MayStartRequest()) return false;
  if (!header_started_) header_started_ = Now();
  // Old clients send an empty line behind a body (RFC 9112, 2.2).
  while (buffer_.bytes().substr(0, 2) == "\r\n") {
    buffer_.Consume(2);
    scanned_ = 0;
  }
  const HeaderEnd end = FindHeaderEnd(buffer_.bytes(), scanned_, state_->header_limits);
  if (end.refusal != Refusal::kNone) return Refuse(end.refusal);
  if (end.size == 0) {
    scanned_ = buffer_.size();
    starved_ = true;
    return false;
  }
  const std::string_view block = buffer_.bytes().substr(0, end.size);
  if (const Refusal refusal = ScanHeader(block, state_->header_limits); refusal != Refusal::kNone)
    return Refuse(refusal);
  parser_ = std::make_unique<RequestParser>(end.size + 1);
  std::optional<RequestHead> head = parser_->PutHeader(block);
  if (!head) return Refuse(Refusal::kMalformed);
  buffer_.Consume(end.size);
  scanned_ = 0;
  header_started_.reset();
  return BeginRequest(*std::move(head));
}

bool ServerConnection::BeginRequest(RequestHead head) {
  std::optional<std::string> path = PathOfTarget(head.target);
  if (!path) return Refuse(Refusal::kBadTarget);
  // 1.0 has no pipelining and little use; one request a connection is always right.
  close_after_request_ = !head.keep_alive || head.is_http_10 || draining_;
  const ServerState::Match match = state_->FindRoute(head.method, *path);
  if (match.entry == nullptr) return AnswerWithoutRoute(head, match);
  entry_ = match.entry;
  if (head.content_length.value_or(0) > entry_->body_bytes_max) return Refuse(Refusal::kBodyTooLarge);
  request_ = {.method = std::move(head.method),
              .path = *std::move(path),
              .raw_target = std::move(head.target),
              .headers = std::move(head.headers),
              .body = {},
              .peer = peer_};
  if (!head.has_body) {
    Dispatch();
    return true;
  }
  parser_->SetBodyMax(entry_->body_bytes_max);
  phase_ = Phase::kBody;
  body_started_ = body_progress_ = Now();
  if (head.expects_continue && buffer_.empty()) answers_.PushInterim("HTTP/1.1 100 Continue\r\n\r\n");
  return true;
}

bool ServerConnection::AnswerWithoutRoute(const RequestHead& head, const ServerState::Match& match) {
  const base::MonotonicTime now = Now();
  Response response{.status = match.path_known ? 405 : 404, .headers = {}, .body = "no such path\n"};
  if (match.path_known) {
    response.headers.emplace_back("Allow", match.allow);
    response.body = "method not allowed\n";
  }
  // A body for nobody is not worth reading.
  refused_ = head.has_body;
  read_closed_ = close_after_request_ || head.has_body;
  answers_.PushAnswered({.entry = &state_->no_route,
                         .is_head = head.method == "HEAD",
                         .close_after = read_closed_,
                         .started = now,
                         .deadline = now,
                         .body_bytes = 0},
                        std::move(response));
  return !read_closed_;
}

bool ServerConnection::AdvanceBody() {
  if (buffer_.empty()) return false;
  std::size_t consumed = 0;
  const BodyState state = parser_->PutBody(buffer_.bytes(), &consumed);
  buffer_.Consume(consumed);
  if (consumed > 0) body_progress_ = Now();
  if (state == BodyState::kTooLarge) return Refuse(Refusal::kBodyTooLarge);
  if (state == BodyState::kMalformed) return Refuse(Refusal::kBadBody);
  if (!ChargeBody()) return Refuse(Refusal::kMemory);
  if (state == BodyState::kDone) {
    phase_ = Phase::kHeader;
    request_.body = parser_->TakeBody();
    Dispatch();
    return true;
  }
  // What stays behind is a piece of a chunk header or trailer, which has the header's limit.
  if (buffer_.size() > state_->header_limits.header_bytes_max) return Refuse(Refusal::kBadBody);
  return false;
}

bool ServerConnection::ChargeBody() {
  const std::int64_t grown = static_cast<std::int64_t>(parser_->body_size()) - charged_;
  charged_ += grown;
  return state_->body_bytes_in_flight.fetch_add(grown) + grown <= state_->options.body_bytes_in_flight_max;
}

void ServerConnection::Release(std::int64_t body_bytes) { state_->body_bytes_in_flight.fetch_sub(body_bytes); }

void ServerConnection::Dispatch() {
  const base::MonotonicTime now = Now();
  const std::uint64_t number = answers_.Expect({.entry = entry_,
                                                .is_head = request_.method == "HEAD",
                                                .close_after = close_after_request_,
                                                .started = now,
                                                .deadline = now + state_->options.handler_timeout,
                                                .body_bytes = std::exchange(charged_, 0)});
  read_closed_ = close_after_request_;
  parser_.reset();
  auto pending = std::make_shared<PendingAnswer>(mailbox_, weak_from_this(), number);
  try {
    entry_->route.handler(std::move(request_), [pending](Response response) { pending->Give(std::move(response)); });
  } catch (const std::exception& error) {
    telemetry::LogError("http_handler_threw", {{"route", entry_->route.route}, {"what", error.what()}});
  } catch (...) {
    telemetry::LogError("http_handler_threw", {{"route", entry_->route.route}, {"what", "unknown"}});
  }
  request_ = {};
}

bool ServerConnection::Refuse(Refusal refusal) {
  state_->CountRefusal(refusal);
  read_closed_ = true;
  refused_ = true;
  Release(std::exchange(charged_, 0));
  const base::MonotonicTime now = Now();
  answers_.PushAnswered({.entry = &state_->no_route,
                         .is_head = false,
                         .close_after = true,
                         .started = now,
                         .deadline = now,
                         .body_bytes = 0},
                        {.status = StatusOf(refusal), .headers = {}, .body = base::StrCat(ToString(refusal), "\n")});
  return false;
}

void ServerConnection::Read() {
  if (reading_ || closed_) return;
  if (!lingering_) {
    // Not starved: a whole request may wait here for room in the pipeline, which the end of a write or an answer gives.
    if (read_closed_ || (phase_ == Phase::kHeader && (!starved_ || !MayStartRequest()))) return;
  }
  reading_ = true;
  const auto room = buffer_.Prepare(phase_ == Phase::kBody || lingering_ ? kBodyReadBytes : kHeaderReadBytes);
  socket_.async_read_some(boost::asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
                            self->reading_ = false;
                            if (self->closed_) return;
                            self->lingering_ ? self->Discard(error, count) : self->OnRead(error, count);
                          });
}

void ServerConnection::OnRead(const boost::system::error_code& error, std::size_t count) {
  if (error == boost::asio::error::eof) {
    // The peer may have closed its sending side only: what it has asked for is still answered.
    read_closed_ = true;
    if (answers_.empty() && !writing_) return Close();
    return UpdateTimer();
  }
  if (error) return Close();
  buffer_.Commit(count);
  Advance();
}

void ServerConnection::Discard(const boost::system::error_code& error, std::size_t count) {
  discarded_ += static_cast<std::int64_t>(count);
  if (error || discarded_ > kLingerBytesMax) return Close();
  Read();
}

// --- Writing ---

void ServerConnection::Write() {
  if (writing_ || lingering_ || closed_) return;
  out_.clear();
  written_ = 0;
  close_after_write_ = answers_.TakeReady(kWriteBytesMax, draining_ && !MidRequest(), &out_);
  if (out_.empty()) {
    const bool done = close_after_write_ || (answers_.empty() && (read_closed_ || (draining_ && !MidRequest())));
    if (done) Close();
    return;
  }
  writing_ = true;
  write_progress_ = Now();
  WriteSome();
}

void ServerConnection::WriteSome() {
  socket_.async_write_some(boost::asio::buffer(out_.data() + written_, out_.size() - written_),
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
                             self->OnWritten(error, count);
                           });
}

void ServerConnection::OnWritten(const boost::system::error_code& error, std::size_t count) {
  if (closed_) return;
  if (error) return Close();
  written_ += count;
  write_progress_ = Now();
  if (written_ < out_.size()) return WriteSome();
  writing_ = false;
  if (out_.capacity() > kWriteBytesMax) out_ = {};
  if (close_after_write_) return FinishWriting();
  if (answers_.empty()) idle_since_ = write_progress_;
  Advance();
}

void ServerConnection::FinishWriting() {
  if (!refused_ && buffer_.empty()) return Close();
  boost::system::error_code ignored;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  lingering_ = true;
  read_closed_ = true;
  linger_until_ = Now() + kLingerTimeout;
  if (!reading_) buffer_.Consume(buffer_.size());  // a pending read still writes into its memory
  Read();
  UpdateTimer();
}

// --- Time ---

base::MonotonicTime ServerConnection::ReadDeadline() const {
  const ServerOptions& options = state_->options;
  if (phase_ == Phase::kBody) {
    // Two rules: no pause longer than the idle timeout, and no crawl below the floor once that time has passed.
    const std::int64_t received = charged_;
    const auto earned = std::chrono::milliseconds(received * 1000 / options.body_bytes_per_second_min);
    return std::min(body_progress_, body_started_ + earned) + options.body_idle_timeout;
  }
  if (header_started_) return *header_started_ + options.header_read_timeout;
  return idle_since_ + options.keep_alive_idle_timeout;
}

std::optional<base::MonotonicTime> ServerConnection::NextDeadline() const {
  if (lingering_) return linger_until_;
  std::optional<base::MonotonicTime> next = answers_.NextDeadline();
  const auto consider = [&](base::MonotonicTime time) { next = next ? std::min(*next, time) : time; };
  if (writing_) consider(write_progress_ + state_->options.write_stall_timeout);
  const bool waits_for_us = phase_ == Phase::kHeader && !header_started_ && (!answers_.empty() || writing_);
  if (reading_ && !read_closed_ && !waits_for_us) consider(ReadDeadline());
  return next;
}

void ServerConnection::UpdateTimer() {
  if (closed_) return;
  const auto next = NextDeadline();
  // A timer that fires too early looks again; so only an earlier deadline needs the timer's cost.
  if (!next || (timer_armed_for_ && *timer_armed_for_ <= *next)) return;
  timer_armed_for_ = next;
  timer_.expires_at(*next);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->timer_armed_for_.reset();
    self->OnTimer();
  });
}

void ServerConnection::OnTimer() {
  const base::MonotonicTime now = Now();
  if (lingering_ && linger_until_ <= now) return Close();
  if (writing_ && write_progress_ + state_->options.write_stall_timeout <= now) {
    state_->CountRefusal(Refusal::kWriteStall);
    return Close();
  }
  while (const auto overdue = answers_.FindOverdue(now)) {
    const auto freed =
        answers_.Answer(*overdue, {.status = 503, .headers = {{"Retry-After", "5"}}, .body = "took too long\n"}, now);
    Release(*freed);
  }
  const bool waits_for_us = phase_ == Phase::kHeader && !header_started_ && (!answers_.empty() || writing_);
  if (!lingering_ && reading_ && !read_closed_ && !waits_for_us && ReadDeadline() <= now) {
    if (phase_ == Phase::kHeader && !header_started_) return Close();  // idle: nobody is owed anything
    Refuse(phase_ == Phase::kBody ? Refusal::kBodyTimeout : Refusal::kHeaderTimeout);
  }
  Advance();
}

}  // namespace http::internal
