#pragma once

#include <cstdint>
#include <string>

#include "libs/config/option_table.h"

namespace rpc {

// Limits of one gRPC server.
struct ServerOptions {
  std::string address = "127.0.0.1";
  std::int32_t port = 50051;  // 0: any free port, see Server::port()
  std::int64_t message_bytes_max = 4 << 20;
  std::int32_t streams_per_connection_max = 1000;
  std::int32_t handler_threads = 16;
  std::int32_t calls_waiting_max = 2000;    // beyond it calls are refused with ResourceExhausted
  std::int32_t deadline_default_ms = 5000;  // of a call that brings none
  std::int32_t deadline_max_ms = 30000;     // of any call
};

void RegisterServerOptions(config::OptionTable& table, ServerOptions* options);

}  // namespace rpc
