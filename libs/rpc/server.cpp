#include "libs/rpc/server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <mutex>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/rpc/internal/grpc_log.h"
#include "libs/rpc/internal/grpc_time.h"
#include "libs/rpc/internal/keepalive.h"

namespace rpc {
namespace {

// gRPC's own threads only move bytes; what a call does runs on the CallExecutor.
constexpr int kGrpcThreadsMax = 16;
// Buffers of gRPC itself (all connections together) before it slows its readers.
constexpr std::size_t kGrpcBufferBytesMax = std::size_t{128} << 20;
constexpr base::Duration kConnectionIdleMax = std::chrono::minutes(30);

}  // namespace

struct Server::Rep {
  std::unique_ptr<grpc::Server> server;
  int port = 0;

  std::mutex mutex;
  bool drained = false;  // protected by mutex
};

Server::Server(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Server::~Server() { Drain(base::Clock::Real().Now()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  internal::RouteGrpcLog();
  auto rep = std::make_unique<Rep>();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  const std::string address = base::StrCat(options.address, ":", options.port);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &rep->port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  builder.SetMaxSendMessageSize(static_cast<int>(options.message_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second server on the port must fail, not share it
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, static_cast<int>(base::ToMs(kConnectionIdleMax)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, internal::kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, internal::kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, internal::kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  grpc::ResourceQuota quota("musemesh");
  quota.SetMaxThreads(kGrpcThreadsMax);
  quota.Resize(kGrpcBufferBytesMax);
  builder.SetResourceQuota(quota);
  for (grpc::Service* const service : services) builder.RegisterService(service);
  rep->server = builder.BuildAndStart();
  if (rep->server == nullptr || rep->port == 0) {
    return absl::UnavailableError(
        base::StrCat("cannot listen on ", address, "; is the port taken? (--grpc-address, --grpc-port)"));
  }
  std::unique_ptr<Server> server(new Server(std::move(rep)));
  server->SetServing(false);
  return server;
}

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(rep_->port); }

void Server::SetServing(bool serving) {
  std::lock_guard lock(rep_->mutex);
  if (rep_->drained) return;
  rep_->server->GetHealthCheckService()->SetServingStatus(serving);
}

void Server::Drain(base::MonotonicTime deadline) {
  {
    std::lock_guard lock(rep_->mutex);
    if (rep_->drained) return;
    rep_->drained = true;
    rep_->server->GetHealthCheckService()->Shutdown();
  }
  rep_->server->Shutdown(internal::ToGrpcDeadline(deadline));
  rep_->server->Wait();
}

}  // namespace rpc
