#include "services/session/config.h"

namespace session_service {

Options DefaultOptions() {
  Options options;
  options.common.admin_port = 9102;
  options.grpc.port = 50051;
  return options;
}

void RegisterOptions(config::OptionTable& table, Options* options) {
  app::RegisterCommonOptions(table, &options->common);
  rpc::RegisterServerOptions(table, &options->grpc);
  redis::RegisterRedisOptions(table, &options->redis);
  session::RegisterStoreOptions(table, &options->store);
  table.AddExample("session --redis-port=6380 --redis-password-file=/run/secrets/redis",
                   "Serves gRPC on port 50051 from a Redis that asks for a password.");
}

absl::Status ValidateOptions(const Options& options) {
  if (absl::Status status = redis::ValidateRedisOptions(options.redis); !status.ok()) return status;
  if (absl::Status status = session::ValidateStoreOptions(options.store); !status.ok()) return status;
  // A response holds a whole history; 64 KiB more cover the rest of the message.
  if (options.grpc.message_bytes_max < options.store.history_bytes_max + (64 << 10)) {
    return absl::InvalidArgumentError("--grpc-message-bytes-max must exceed --history-bytes-max by 65536 bytes");
  }
  return absl::OkStatus();
}

}  // namespace session_service
