#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libs/http/client.h"
#include "libs/http/internal/exchange.h"
#include "libs/http/internal/message_parser.h"
#include "libs/http/internal/read_buffer.h"

namespace http::internal {

// One connection to one host: resolves, connects, shakes hands, then runs one exchange at a time until either side
// closes. A read is always pending once it is connected, so that a peer's close is noticed while idle and an early
// answer while still writing.
//
// Threading: confined to its io thread.
// Lifetime:  shared by its pool and its pending operations; closed once, then inert and without owner.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnIdle(ClientConnection* connection) = 0;    // may Run the next exchange at once
    virtual void OnClosed(ClientConnection* connection) = 0;  // forget it
    // The peer had closed before the kernel took a byte: the exchange needs another connection.
    virtual void OnStale(std::shared_ptr<Exchange> exchange) = 0;
  };

  ClientConnection(boost::asio::io_context& context, boost::asio::ssl::context& tls, const ClientOptions& options,
                   const Url& host, Owner* owner);

  void Open(std::shared_ptr<Exchange> exchange);  // connects and then runs it
  void Run(std::shared_ptr<Exchange> exchange);   // REQUIRES: idle
  bool IsStale();                                 // REQUIRES: idle. The peer has closed or spoken out of turn
  void Close();
  void Abandon();  // closes without telling the owner, who is going away

 private:
  // Opening
  void Resolve();
  void AddEndpoint(const boost::asio::ip::tcp::endpoint& endpoint);
  void ConnectNext(const boost::system::error_code& last_error);
  void Handshake();
  bool SetUpTls(std::string* error);
  void OnConnected();
  std::string TlsError(const boost::system::error_code& error) const;

  // Exchanging
  void BeginWrite();
  void WriteFirst(base::MonotonicTime checked_at);
  void ObserveFirstWrite();
  void WriteSome();
  void OnWritten(const boost::system::error_code& error, std::size_t count);
  void Read();
  void OnRead(const boost::system::error_code& error, std::size_t count);
  void Parse();
  void Complete();
  void FailAndClose(FailureKind kind, absl::Status status);

  void ArmTimer(base::MonotonicTime time);
  void OnTimer();
  base::MonotonicTime NextStop() const;  // of the exchange that runs: its deadline, or a stall before that

  template <typename Operation>
  void WithStream(Operation operation) {
    if (tls_stream_) {
      operation(*tls_stream_);
    } else {
      operation(socket_);
    }
  }

  const ClientOptions& options_;
  const Url& host_;
  boost::asio::ssl::context& tls_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_stream_;  // unset for http
  boost::asio::steady_timer timer_;
  Owner* owner_;  // nullptr once closed

  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;  // not tried yet, the next one last
  bool address_refused_ = false;                           // by may_connect, one at least
  std::int64_t response_bytes_max_ = 0;                    // of the answer being read
  base::MonotonicTime connect_deadline_;
  base::MonotonicTime idle_deadline_;
  base::MonotonicTime moved_at_;  // the last byte of the exchange that runs, in either direction
  std::optional<base::MonotonicTime> timer_armed_for_;

  std::shared_ptr<Exchange> exchange_;  // unset while idle
  std::unique_ptr<ResponseParser> parser_;
  ReadBuffer buffer_;
  std::size_t written_ = 0;
  std::optional<base::MonotonicTime> checked_at_;  // of the exchange, until its first bytes were taken
  bool connected_ = false;
  bool reused_ = false;        // an exchange has been completed before
  bool writing_ = false;       // a write is pending
  bool write_failed_ = false;  // after some bytes: an early answer may still be read
};

}  // namespace http::internal
