#include "services/gateway/config.h"

#include <algorithm>
#include <optional>

#include "libs/base/str_cat.h"
#include "libs/identity/identity.h"

namespace gateway {

void RegisterOptions(config::OptionTable& table, Options* options) {
  options->common.admin_port = 9100;
  app::RegisterCommonOptions(table, &options->common);
  bus::RegisterBusOptions(table, &options->bus);
  table.Add("channels", &options->channels,
            {.doc = "Channels whose webhooks are taken. Several gateways may take the same channel.",
             .choices = {"whatsapp", "messenger", "instagram"}});
  table.Add("accounts", &options->accounts, {.doc = "Accounts file; reloaded when it changes."});
  table.Add("address", &options->address,
            {.doc = "Where webhooks are taken. Meta speaks HTTPS only: a proxy that ends TLS stands in front."});
  table.Add("port", &options->port, {.doc = "Port for webhooks; 0 takes any free one.", .min = 0, .max = 65535});
  table.Add("http-threads", &options->http_threads,
            {.doc = "Threads that read, check and decode webhooks. One takes thousands a second.",
             .unit = "threads",
             .min = 1,
             .max = 64});
  table.Add("connections-max", &options->connections_max,
            {.doc = "Open connections; more are closed at once.", .unit = "connections", .min = 1, .max = 1 << 20});
  table.Add("connections-per-peer-max", &options->connections_per_peer_max,
            {.doc = "Open connections of one address. Lower it only where no proxy stands in front.",
             .unit = "connections",
             .min = 1,
             .max = 1 << 20});
  table.Add(
      "delivery-timeout-ms", &options->delivery_timeout_ms,
      {.doc =
           "How long the broker may take to persist a webhook's records before 503 is answered. Meta waits about 5 s.",
       .unit = "ms",
       .min = 100,
       .max = 20000});
  table.Add(
      "linger-ms", &options->linger_ms,
      {.doc = "Time to gather records into one request to the broker. 0 answers fastest; more helps a loaded broker.",
       .unit = "ms",
       .min = 0,
       .max = 1000});
  table.Add(
      "lame-duck-ms", &options->lame_duck_ms,
      {.doc = "How long webhooks are still taken after SIGTERM, while /readyz says 503 already: longer than the load "
              "balancer takes to notice, or it meets a closed port. At most 60 % of --drain-deadline-s.",
       .unit = "ms",
       .min = 0,
       .max = 60000});
  table.AddExample("gateway --accounts=accounts.yaml", "takes the webhooks of all three channels on 127.0.0.1:8080");
  table.AddExample("gateway --channels=whatsapp --address=0.0.0.0 --connections-max=50000",
                   "one of a fleet for one channel");
}

absl::StatusOr<std::vector<mesh::bus::v1::Channel>> ChannelsOf(const Options& options) {
  std::vector<mesh::bus::v1::Channel> channels;
  for (const std::string& name : options.channels) {
    const auto channel = identity::ParseChannelName(name);
    if (!channel) return absl::InvalidArgumentError(base::StrCat("--channels: '", name, "' is no channel"));
    if (std::find(channels.begin(), channels.end(), *channel) != channels.end()) {
      return absl::InvalidArgumentError(base::StrCat("--channels: ", name, " is named twice"));
    }
    channels.push_back(*channel);
  }
  if (channels.empty()) return absl::InvalidArgumentError("--channels names none of whatsapp, messenger, instagram");
  return channels;
}

}  // namespace gateway
