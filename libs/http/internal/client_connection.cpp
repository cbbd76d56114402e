#include "libs/http/internal/client_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include "libs/base/str_cat.h"

namespace http::internal {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kAddressesMax = 8;  // of one name; a longer list is cut

base::MonotonicTime Now() { return std::chrono::steady_clock::now(); }

IpAddress ToIpAddress(const boost::asio::ip::address& address) {
  IpAddress out;
  out.is_v4 = address.is_v4();
  if (out.is_v4) {
    const auto bytes = address.to_v4().to_bytes();
    std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  } else {
    const auto bytes = address.to_v6().to_bytes();
    std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  }
  return out;
}

}  // namespace

ClientConnection::ClientConnection(boost::asio::io_context& context, boost::asio::ssl::context& tls,
                                   const ClientOptions& options, const Url& host, Owner* owner)
    : options_(options), host_(host), tls_(tls), resolver_(context), socket_(context), timer_(context), owner_(owner) {}

// --- Opening ---

void ClientConnection::Open(std::shared_ptr<Exchange> exchange) {
  exchange_ = std::move(exchange);
  connect_deadline_ = Now() + options_.connect_timeout;
  ArmTimer(std::min(connect_deadline_, exchange_->deadline()));
  Resolve();
}

void ClientConnection::Resolve() {
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(host_.host, not_numeric);
  if (!not_numeric) {
    AddEndpoint({address, host_.port});
    return ConnectNext({});
  }
  resolver_.async_resolve(
      host_.host, std::to_string(host_.port), boost::asio::ip::tcp::resolver::numeric_service,
      [self = shared_from_this()](const boost::system::error_code& error,
                                  const boost::asio::ip::tcp::resolver::results_type& results) {
        if (self->owner_ == nullptr) return;
        if (error) {
          return self->FailAndClose(
              FailureKind::kResolve,
              absl::UnavailableError(base::StrCat("cannot resolve ", self->host_.host, ": ", error.message())));
        }
        for (const auto& result : results) {
          if (self->endpoints_.size() < kAddressesMax) self->AddEndpoint(result.endpoint());
        }
        std::reverse(self->endpoints_.begin(), self->endpoints_.end());
        self->ConnectNext({});
      });
}

void ClientConnection::AddEndpoint(const boost::asio::ip::tcp::endpoint& endpoint) {
  if (options_.may_connect == nullptr || options_.may_connect(ToIpAddress(endpoint.address()))) {
    endpoints_.push_back(endpoint);
  } else {
    address_refused_ = true;
  }
}

void ClientConnection::ConnectNext(const boost::system::error_code& last_error) {
  if (endpoints_.empty() && address_refused_ && !last_error) {
    return FailAndClose(FailureKind::kOther, absl::PermissionDeniedError(
                                                 base::StrCat("no address of ", host_.host, " may be connected to")));
  }
  if (endpoints_.empty()) {
    return FailAndClose(FailureKind::kConnect,
                        absl::UnavailableError(base::StrCat("cannot connect to ", host_.host, ":", host_.port, ": ",
                                                            last_error.message())));
  }
  const boost::asio::ip::tcp::endpoint endpoint = endpoints_.back();
  endpoints_.pop_back();
  boost::system::error_code error;
  socket_.close(error);
  socket_.async_connect(endpoint, [self = shared_from_this()](const boost::system::error_code& connect_error) {
    if (self->owner_ == nullptr) return;
    if (connect_error) return self->ConnectNext(connect_error);
    boost::system::error_code ignored;
    self->socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    self->socket_.non_blocking(true, ignored);  // for WriteFirst
    self->host_.is_tls ? self->Handshake() : self->OnConnected();
  });
}

bool ClientConnection::SetUpTls(std::string* error) {
  tls_stream_ = std::make_unique<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>>(socket_, tls_);
  SSL* const ssl = tls_stream_->native_handle();
  X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl);
  boost::system::error_code not_numeric;
  boost::asio::ip::make_address(host_.host, not_numeric);
  // OpenSSL checks the name itself, so that a mismatch has its own error; SNI carries names only (RFC 6066, 3).
  bool ok = true;
  if (not_numeric) {
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = X509_VERIFY_PARAM_set1_host(verify, host_.host.data(), host_.host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host_.host.c_str()) == 1;
  } else {
    ok = X509_VERIFY_PARAM_set1_ip_asc(verify, host_.host.c_str()) == 1;
  }
  if (!ok) *error = "the host name cannot be used with TLS";
  return ok;
}

void ClientConnection::Handshake() {
  if (std::string error; !SetUpTls(&error)) {
    return FailAndClose(FailureKind::kTls, absl::FailedPreconditionError(error));
  }
  tls_stream_->async_handshake(
      boost::asio::ssl::stream_base::client, [self = shared_from_this()](const boost::system::error_code& error) {
        if (self->owner_ == nullptr) return;
        if (!error) return self->OnConnected();
        const bool distrusted = SSL_get_verify_result(self->tls_stream_->native_handle()) != X509_V_OK;
        const std::string what = self->TlsError(error);
        if (distrusted) return self->FailAndClose(FailureKind::kCertificate, absl::FailedPreconditionError(what));
        self->FailAndClose(FailureKind::kTls, absl::UnavailableError(what));
      });
}

std::string ClientConnection::TlsError(const boost::system::error_code& error) const {
  const long verdict = SSL_get_verify_result(tls_stream_->native_handle());
  if (verdict == X509_V_OK) return base::StrCat("TLS with ", host_.host, ": ", error.message());
  return base::StrCat("the certificate of ", host_.host, " is not accepted: ", X509_verify_cert_error_string(verdict),
                      "; check the host name, or set ca_file");
}

void ClientConnection::OnConnected() {
  connected_ = true;
  Read();
  BeginWrite();
}

// --- Exchanging ---

void ClientConnection::Run(std::shared_ptr<Exchange> exchange) {
  exchange_ = std::move(exchange);
  BeginWrite();
}

bool ClientConnection::IsStale() {
  // What the pending read has not been told yet is already in the kernel. Anything there is wrong: no answer is due.
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
         (errno != EAGAIN && errno != EWOULDBLOCK);
}

void ClientConnection::BeginWrite() {
  // All that takes time comes before the check: what it says can be out of date by the time of the write.
  response_bytes_max_ =
      exchange_->response_bytes_max() >= 0 ? exchange_->response_bytes_max() : options_.response_bytes_max;
  parser_ = std::make_unique<ResponseParser>(response_bytes_max_, exchange_->is_head());
  written_ = 0;
  moved_at_ = Now();
  ArmTimer(NextStop());
  const base::MonotonicTime checked_at = Now();
  if (exchange_->deadline() <= checked_at) {
    return FailAndClose(FailureKind::kDeadline,
                        absl::DeadlineExceededError("the deadline passed before the request was sent"));
  }
  if (exchange_->MaySend()) return WriteFirst(checked_at);
  // Nothing was written: the connection is as good as before. Posted, not called: a long queue of withdrawn requests
  // must not become a deep stack.
  parser_.reset();
  idle_deadline_ = Now() + options_.keep_alive_idle_timeout;
  ArmTimer(idle_deadline_);
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), withdrawn = std::exchange(exchange_, nullptr)] {
    if (self->owner_ != nullptr) self->owner_->OnIdle(self.get());
    withdrawn->Fail(FailureKind::kOther, absl::AbortedError("may_send said no before the first byte"));
  });
}

// The first bytes leave within this call, where the kernel has room for any: not when the loop comes by. With TLS they
// leave with the first record, whose end is what is measured.
void ClientConnection::WriteFirst(base::MonotonicTime checked_at) {
  checked_at_ = checked_at;
  if (tls_stream_ != nullptr) return WriteSome();
  writing_ = true;
  exchange_->set_certainty(SendCertainty::kMaybeSent);
  boost::system::error_code error;
  const std::size_t count = socket_.write_some(boost::asio::buffer(exchange_->wire()), error);
  if (error == boost::asio::error::would_block) return WriteSome();
  if (!error) ObserveFirstWrite();
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), error, count] {
    self->writing_ = false;
    if (self->owner_ != nullptr) self->OnWritten(error, count);
  });
}

void ClientConnection::ObserveFirstWrite() {
  if (checked_at_) exchange_->ObserveFirstWrite(Now() - *checked_at_);
  checked_at_.reset();
}

void ClientConnection::WriteSome() {
  writing_ = true;
  exchange_->set_certainty(SendCertainty::kMaybeSent);
  const std::string& wire = exchange_->wire();
  // The handler keeps the exchange, for its bytes must live as long as the write, even when a deadline ends it earlier.
  WithStream([&](auto& stream) {
    stream.async_write_some(
        boost::asio::buffer(wire.data() + written_, wire.size() - written_),
        [self = shared_from_this(), exchange = exchange_](const boost::system::error_code& error, std::size_t count) {
          self->writing_ = false;
          if (self->owner_ != nullptr) self->OnWritten(error, count);
        });
  });
}

void ClientConnection::OnWritten(const boost::system::error_code& error, std::size_t count) {
  written_ += count;
  moved_at_ = Now();
  if (!error) {
    ObserveFirstWrite();
    if (written_ < exchange_->wire().size()) WriteSome();
    return;
  }
  if (written_ > 0) {
    // A peer that refuses early answers and stops reading; its answer may be on its way. The read tells.
    write_failed_ = true;
    return;
  }
  // The kernel refused the first write whole (with TLS: the first record, which the peer cannot open in part).
  exchange_->set_certainty(SendCertainty::kNotSent);
  if (reused_ && exchange_->TakeReplacement()) {
    auto exchange = std::exchange(exchange_, nullptr);
    Owner* const owner = owner_;
    Close();
    return owner->OnStale(std::move(exchange));
  }
  FailAndClose(FailureKind::kBroken,
               absl::UnavailableError(base::StrCat("cannot write to ", host_.host, ": ", error.message())));
}

void ClientConnection::Read() {
  const auto room = buffer_.Prepare(kReadBytes);
  WithStream([&](auto& stream) {
    stream.async_read_some(boost::asio::buffer(room.data(), room.size()),
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
                             if (self->owner_ != nullptr) self->OnRead(error, count);
                           });
  });
}

void ClientConnection::OnRead(const boost::system::error_code& error, std::size_t count) {
  if (exchange_ == nullptr || parser_ == nullptr) return Close();  // closed by the peer while idle, or talk out of turn
  if (!error) {
    buffer_.Commit(count);
    moved_at_ = Now();
    return Parse();
  }
  // Only an orderly end may end a body: a cut TLS stream is no end.
  if (error == boost::asio::error::eof && parser_->PutEnd() == BodyState::kDone) return Complete();
  FailAndClose(FailureKind::kBroken,
               absl::UnavailableError(base::StrCat("the connection to ", host_.host, " broke: ", error.message())));
}

void ClientConnection::Parse() {
  std::size_t consumed = 0;
  const BodyState state = parser_->Put(buffer_.bytes(), &consumed);
  buffer_.Consume(consumed);
  switch (state) {
    case BodyState::kNeedMore:
      return Read();
    case BodyState::kDone:
      return Complete();
    case BodyState::kTooLarge:
      return FailAndClose(FailureKind::kOther,
                          absl::OutOfRangeError(base::StrCat("the answer of ", host_.host, " is larger than ",
                                                             response_bytes_max_, " bytes")));
    case BodyState::kMalformed:
      return FailAndClose(FailureKind::kOther,
                          absl::UnavailableError(base::StrCat("the answer of ", host_.host, " is no HTTP response")));
  }
}

void ClientConnection::Complete() {
  const auto self = shared_from_this();
  const bool request_sent = !writing_ && !write_failed_ && written_ == exchange_->wire().size();
  const bool reusable = parser_->keep_alive() && request_sent && buffer_.empty() && socket_.is_open();
  Response response = parser_->Take();
  parser_.reset();
  const auto exchange = std::exchange(exchange_, nullptr);
  if (reusable) {
    reused_ = true;
    idle_deadline_ = Now() + options_.keep_alive_idle_timeout;
    ArmTimer(idle_deadline_);
    Read();
    owner_->OnIdle(this);
  } else {
    Close();
  }
  exchange->Succeed(std::move(response));
}

void ClientConnection::FailAndClose(FailureKind kind, absl::Status status) {
  const auto self = shared_from_this();
  const auto exchange = std::exchange(exchange_, nullptr);
  Close();
  if (exchange != nullptr) exchange->Fail(kind, std::move(status));
}

void ClientConnection::Close() {
  const auto self = shared_from_this();
  Owner* const owner = owner_;
  Abandon();
  if (owner != nullptr) owner->OnClosed(this);
}

void ClientConnection::Abandon() {
  owner_ = nullptr;
  if (exchange_ != nullptr)
    exchange_->Fail(FailureKind::kOther, absl::UnavailableError("the HTTP client is shutting down"));
  boost::system::error_code ignored;
  resolver_.cancel();
  timer_.cancel();
  socket_.close(ignored);
}

// --- Time ---

void ClientConnection::ArmTimer(base::MonotonicTime time) {
  // A timer that fires too early looks again; only an earlier deadline needs a new one.
  if (timer_armed_for_ && *timer_armed_for_ <= time) return;
  timer_armed_for_ = time;
  timer_.expires_at(time);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->owner_ == nullptr) return;
    self->timer_armed_for_.reset();
    self->OnTimer();
  });
}

base::MonotonicTime ClientConnection::NextStop() const {
  if (options_.stall_timeout == base::Duration::zero()) return exchange_->deadline();
  return std::min(exchange_->deadline(), moved_at_ + options_.stall_timeout);
}

void ClientConnection::OnTimer() {
  const base::MonotonicTime now = Now();
  if (exchange_ == nullptr) {
    if (idle_deadline_ <= now) return Close();
    return ArmTimer(idle_deadline_);
  }
  if (exchange_->deadline() <= now) {
    return FailAndClose(FailureKind::kDeadline,
                        absl::DeadlineExceededError(base::StrCat("no answer of ", host_.host, " before the deadline")));
  }
  if (connected_ && NextStop() <= now) {
    return FailAndClose(FailureKind::kStalled,
                        absl::UnavailableError(base::StrCat(host_.host, " has stopped in the middle of an answer")));
  }
  if (connected_) return ArmTimer(NextStop());
  if (connect_deadline_ <= now) {
    return FailAndClose(FailureKind::kStalled,
                        absl::UnavailableError(base::StrCat("cannot connect to ", host_.host, " in time")));
  }
  ArmTimer(std::min(connect_deadline_, exchange_->deadline()));
}

}  // namespace http::internal
