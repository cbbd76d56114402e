#include "libs/bus/internal/client_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/secret.h"
#include "libs/telemetry/log.h"

namespace bus::internal {
namespace {

// What the delivery guarantee rests on; an operator's extra setting must not take it away.
constexpr std::array<std::string_view, 18> kReservedSettings = {"acks",
                                                                "request.required.acks",
                                                                "enable.idempotence",
                                                                "enable.gapless.guarantee",
                                                                "partitioner",
                                                                "enable.auto.commit",
                                                                "isolation.level",
                                                                "enable.auto.offset.store",
                                                                "group.id",
                                                                "group.instance.id",
                                                                "group.protocol",
                                                                "partition.assignment.strategy",
                                                                "transactional.id",
                                                                "auto.offset.reset",
                                                                "message.timeout.ms",
                                                                "delivery.timeout.ms",
                                                                "message.max.bytes",
                                                                "bootstrap.servers"};

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

// Called from any of the library's threads. Its texts name brokers and settings, never record contents.
void LogLine(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  telemetry::LogLevel log_level = telemetry::LogLevel::kDebug;
  if (level <= 2) {
    log_level = telemetry::LogLevel::kError;
  } else if (level <= 4) {
    log_level = telemetry::LogLevel::kWarning;  // its "error" is a broker that went away: expected, and retried
  } else if (level <= 6) {
    log_level = telemetry::LogLevel::kInfo;
  }
  telemetry::Log(log_level, "kafka_client",
                 {{"client", client == nullptr ? "" : rd_kafka_name(client)}, {"facility", facility}, {"text", text}});
}

}  // namespace

absl::StatusOr<ClientConfig> ClientConfig::Make(const BusOptions& bus, std::string_view service) {
  ClientConfig config;
  config.conf_.reset(rd_kafka_conf_new());
  config.Set("client.id",
             bus.client_id.empty() ? base::StrCat(service, "-", HostName(), "-", getpid()) : bus.client_id);
  config.Set("bootstrap.servers", bus.brokers);
  config.Set("socket.nagle.disable", "true");  // an acknowledgement waits on each small request
  config.Set("socket.keepalive.enable", "true");
  config.Set("socket.timeout.ms", 10'000);  // a broker that hangs is a broker that is down
  config.Set("socket.connection.setup.timeout.ms", 3'000);
  config.Set("reconnect.backoff.ms", 50);
  config.Set("reconnect.backoff.max.ms", 1'000);  // recovery is seen by users; one try a second does no harm
  config.Set("log.connection.close", "false");    // brokers close idle connections; that is no event
  rd_kafka_conf_set_log_cb(config.get(), &LogLine);
  if (absl::Status status = config.ApplyExtra(bus.extra_config); !status.ok()) return status;
  return config;
}

void ClientConfig::Set(const char* name, const std::string& value) {
  std::array<char, 512> error{};
  const rd_kafka_conf_res_t result = rd_kafka_conf_set(conf_.get(), name, value.c_str(), error.data(), error.size());
  CHECK_MSG(result == RD_KAFKA_CONF_OK, error.data());
}

bool ClientConfig::TrySet(const char* name, const std::string& value) {
  std::array<char, 512> error{};
  return rd_kafka_conf_set(conf_.get(), name, value.c_str(), error.data(), error.size()) == RD_KAFKA_CONF_OK;
}

absl::StatusOr<ClientPtr> ClientConfig::NewClient(rd_kafka_type_t type, void* opaque) && {
  rd_kafka_conf_set_opaque(conf_.get(), opaque);
  std::array<char, 512> error{};
  ClientPtr client(rd_kafka_new(type, conf_.get(), error.data(), error.size()));
  if (client == nullptr) {
    return absl::InvalidArgumentError(base::StrCat("kafka client settings are refused: ", error.data()));
  }
  static_cast<void>(conf_.release());  // the client owns it now
  return client;
}

absl::Status ClientConfig::ApplyExtra(std::string_view extra_config) {
  while (!extra_config.empty()) {
    const std::size_t comma = std::min(extra_config.find(','), extra_config.size());
    const std::string_view item = extra_config.substr(0, comma);
    extra_config.remove_prefix(std::min(comma + 1, extra_config.size()));
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(
          base::StrCat("kafka-extra-config: '", item.substr(0, equals), "' is not of the form key=value"));
    }
    absl::Status status = ApplyExtraSetting(std::string(item.substr(0, equals)), std::string(item.substr(equals + 1)));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ClientConfig::ApplyExtraSetting(const std::string& name, const std::string& value) {
  if (std::find(kReservedSettings.begin(), kReservedSettings.end(), name) != kReservedSettings.end()) {
    return absl::InvalidArgumentError(
        base::StrCat("kafka-extra-config: ", name, " is set by the service, because its guarantees rest on it"));
  }
  std::array<char, 512> error{};
  rd_kafka_conf_res_t result = rd_kafka_conf_set(get(), name.c_str(), value.c_str(), error.data(), error.size());
  // sasl.password.location=FILE: for settings that the library takes only in clear, the file's content.
  constexpr std::string_view kLocation = ".location";
  if (result == RD_KAFKA_CONF_UNKNOWN && name.ends_with(kLocation)) {
    const absl::StatusOr<crypto::Secret> secret = crypto::Secret::FromFile(value);
    if (!secret.ok()) return secret.status();
    const std::string base_name = name.substr(0, name.size() - kLocation.size());
    // The text of an error may quote the value, so it is not passed on.
    result = rd_kafka_conf_set(get(), base_name.c_str(), std::string(secret->Reveal()).c_str(), nullptr, 0);
    if (result != RD_KAFKA_CONF_OK) {
      return absl::InvalidArgumentError(base::StrCat("kafka-extra-config: ", base_name, " is not a known setting"));
    }
  }
  if (result != RD_KAFKA_CONF_OK) return absl::InvalidArgumentError(base::StrCat("kafka-extra-config: ", error.data()));
  return absl::OkStatus();
}

}  // namespace bus::internal
