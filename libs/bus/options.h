#pragma once

#include <cstdint>
#include <string>

#include "libs/config/option_table.h"

namespace bus {

// How to reach the brokers; the same in every service.
struct BusOptions {
  std::string brokers = "127.0.0.1:9092";
  std::string topic_prefix = "mesh.";
  std::int32_t partitions = 12;  // of a conversation topic, when it is created here
  std::int32_t replication_factor = 1;
  std::string client_id;     // defaults to <service>-<host>-<pid>
  std::string extra_config;  // "key=value,..." passed to librdkafka: TLS, SASL; secrets by *.location files
};

void RegisterBusOptions(config::OptionTable& table, BusOptions* options);

// --static-member-id and --session-timeout-ms, for the services that are members of a consumer group.
void RegisterMemberOptions(config::OptionTable& table, std::string* static_member_id, std::int32_t* session_timeout_ms);

}  // namespace bus
