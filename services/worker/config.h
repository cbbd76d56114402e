#pragma once

#include <cstdint>
#include <string>

#include "libs/app/app.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "libs/engine/engine_options.h"

namespace worker {

struct Options {
  app::CommonOptions common;
  bus::BusOptions bus;
  engine::EngineOptions engine;
  std::string accounts = "accounts.yaml";
  std::string session_target = "127.0.0.1:50051";
  std::string group = "worker";
  std::string static_member_id;
  std::int32_t window_records_max = 4096;
};

void RegisterOptions(config::OptionTable& table, Options* options);

}  // namespace worker
