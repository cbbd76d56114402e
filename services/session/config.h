#pragma once

#include "absl/status/status.h"
#include "libs/app/app.h"
#include "libs/config/option_table.h"
#include "libs/redis/options.h"
#include "libs/rpc/options.h"
#include "libs/session/store.h"

namespace session_service {

struct Options {
  app::CommonOptions common;
  redis::RedisOptions redis;
  rpc::ServerOptions grpc;
  session::StoreOptions store;
};

Options DefaultOptions();  // ports as in design.md, "Local ports"
void RegisterOptions(config::OptionTable& table, Options* options);
absl::Status ValidateOptions(const Options& options);  // what bounds of single options cannot say

}  // namespace session_service
