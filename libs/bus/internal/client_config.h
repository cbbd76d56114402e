#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/options.h"

namespace bus::internal {

// The largest record and batch on any topic. Producers and topics must agree, or a record that the client takes is
// refused by the broker.
inline constexpr int kRecordBytesMax = 4 << 20;

// The settings of one librdkafka client: connection and log settings of BusOptions first, the role's own on top, then
// `extra_config`, which may not touch what delivery rests on.
class ClientConfig {
 public:
  // InvalidArgument when `extra_config` is malformed, unknown to the library or not allowed; a secret file's own error.
  static absl::StatusOr<ClientConfig> Make(const BusOptions& bus, std::string_view service);

  // A setting of the role. Names are constants of this library, so an unknown one is a bug (CHECK).
  void Set(const char* name, const std::string& value);
  void Set(const char* name, std::int64_t value) { Set(name, std::to_string(value)); }

  // False when this version of the library does not know the setting.
  [[nodiscard]] bool TrySet(const char* name, const std::string& value);

  rd_kafka_conf_t* get() { return conf_.get(); }  // for callbacks

  // Hands the settings to a new client. `opaque` comes back in every callback.
  absl::StatusOr<ClientPtr> NewClient(rd_kafka_type_t type, void* opaque) &&;

 private:
  ClientConfig() = default;
  absl::Status ApplyExtra(std::string_view extra_config);
  absl::Status ApplyExtraSetting(const std::string& name, const std::string& value);

  ConfPtr conf_;
};

}  // namespace bus::internal
