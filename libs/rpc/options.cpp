#include "libs/rpc/options.h"

namespace rpc {

void RegisterServerOptions(config::OptionTable& table, ServerOptions* options) {
  table.Add("grpc-address", &options->address, {.doc = "Address the gRPC port listens on."});
  table.Add("grpc-port", &options->port, {.doc = "gRPC port; 0 takes any free one.", .min = 0, .max = 65535});
  table.Add("grpc-message-bytes-max", &options->message_bytes_max,
            {.doc = "Largest request or response.", .unit = "bytes", .min = 65536, .max = 64 << 20});
  table.Add("grpc-streams-per-connection-max", &options->streams_per_connection_max,
            {.doc = "Calls in flight on one connection; the client holds back further ones.",
             .unit = "calls",
             .min = 1,
             .max = 100000});
  table.Add("grpc-handler-threads", &options->handler_threads,
            {.doc = "Threads that handle calls; raise it together with --redis-pool-size when calls wait.",
             .unit = "threads",
             .min = 1,
             .max = 1024});
  table.Add("grpc-calls-waiting-max", &options->calls_waiting_max,
            {.doc = "Calls that may wait for a thread; further ones are refused at once and retried by the caller.",
             .unit = "calls",
             .min = 1,
             .max = 1000000});
  table.Add("grpc-deadline-default-ms", &options->deadline_default_ms,
            {.doc = "Deadline of a call that brings none.", .unit = "ms", .min = 10, .max = 600000});
  table.Add("grpc-deadline-max-ms", &options->deadline_max_ms,
            {.doc = "Longest deadline that is granted to a call.", .unit = "ms", .min = 10, .max = 600000});
}

}  // namespace rpc
