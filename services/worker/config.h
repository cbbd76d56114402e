#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libs/app/app.h"
#include "libs/bus/groups.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "libs/engine/make_engine.h"
#include "libs/media/fetcher.h"
#include "libs/media/folder_store.h"
#include "services/worker/read_window.h"

namespace worker {

struct Options {
  app::CommonOptions common;
  bus::BusOptions bus;
  engine::EngineOptions engine;
  std::string engine_kind = "llm";
  std::string model_sha256;
  std::int32_t echo_step_ms = 0;
  std::int32_t echo_steps_max = 0;
  std::string accounts = "accounts.yaml";
  std::string session_target = "127.0.0.1:50051";
  double session_throttle_k = 2;
  std::string group{bus::kWorkerGroup};
  std::string static_member_id;
  std::int32_t session_timeout_ms = 10000;
  std::int32_t window_records_max = 4096;
  std::int32_t window_mib_max = 64;
  media::FetcherOptions media;
  media::FolderStoreOptions media_store{.folder = "media"};
  std::string media_store_credentials_file;
  std::int32_t media_keep_hours = 24;
  std::int32_t media_wait_ms = 10000;
  std::int32_t presence_renew_ms = 15000;
  std::vector<std::string> arguments;  // as given to main, for the sacrificial child; no option
};

void RegisterOptions(config::OptionTable& table, Options* options);
ReadWindow ReadWindowOf(const Options& options);  // an empty one
engine::EngineOptions EngineOptionsOf(const Options& options);
media::FolderStoreOptions MediaStoreOptionsOf(const Options& options);

}  // namespace worker
