#include "services/sender/config.h"

#include <chrono>

#include "libs/session/client.h"

namespace sender {

void RegisterOptions(config::OptionTable& table, Options* options) {
  options->common.admin_port = 9103;
  app::RegisterCommonOptions(table, &options->common);
  bus::RegisterBusOptions(table, &options->bus);
  table.Add("accounts", &options->accounts, {.doc = "Accounts file; reloaded when it changes."});
  table.Add(
      "session-target", &options->session_target,
      {.doc = "gRPC address of the session service, which is told what became of each reply.", .unit = "host:port"});
  session::RegisterThrottleOption(table, &options->session_throttle_k);
  table.Add(
      "group", &options->group,
      {.doc =
           "Consumer group of `replies`; `<group>-statuses` reads `statuses`. The topic prefix is put before both."});
  bus::RegisterMemberOptions(table, &options->static_member_id, &options->session_timeout_ms);
  table.Add("window-records-max", &options->window_records_max,
            {.doc = "Replies in hand for each partition. A full window pauses the partition: raise it when one slow "
                    "account holds up others.",
             .unit = "records",
             .min = 64,
             .max = 8192});
  table.Add("window-mib-max", &options->window_mib_max,
            {.doc = "Keys and values of these replies, per partition; a reply may have 4 MiB.",
             .unit = "MiB",
             .min = 8,
             .max = 65536});
  table.Add(
      "connections-per-host-max", &options->connections_per_host_max,
      {.doc = "Connections to one Graph API host, and so sends in flight. One account has at most seven eighths of "
              "them, and half while another waits.",
       .unit = "connections",
       .min = 1,
       .max = 4096});
  table.Add(
      "graph-throttle-k", &options->graph_throttle_k,
      {.doc = "Sends of an account that may go out for each one that the Graph API takes, over two minutes; what is "
              "beyond waits here, in its place, while the API cannot keep up. Lower spares it more, higher notices "
              "sooner that it has room.",
       .min = 1,
       .max = 1000});
  table.Add("ca-file", &options->ca_file,
            {.doc = "PEM file of the authorities that Graph API hosts are checked against; empty: the system's."});
  table.Add(
      "lease-ms", &options->lease_ms,
      {.doc =
           "How old a claim may be when the first byte of its send leaves. Shorter gives up more sends after a stall.",
       .unit = "ms",
       .min = 100,
       .max = 60000});
  table.Add(
      "post-timeout-ms", &options->post_timeout_ms,
      {.doc =
           "How long one Graph API call may take. Keep it above the platform's slowest honest answer: whatever is cut "
           "off is in doubt.",
       .unit = "ms",
       .min = 100,
       .max = 120000});
  table.Add(
      "reconcile-ms", &options->reconcile_ms,
      {.doc = "How long a send without an answer is watched for a delivery status before the account's in_doubt_policy "
              "decides. Longer makes second copies rarer and lost answers slower.",
       .unit = "ms",
       .min = 200,
       .max = 600000});
  table.Add("park-probe-s", &options->park_probe_s,
            {.doc = "How often one reply of an account that cannot send is tried all the same; a new access token is "
                    "tried at once.",
             .unit = "s",
             .min = 1,
             .max = 3600});
  table.AddExample("sender --accounts=accounts.yaml --kafka-brokers=127.0.0.1:9092",
                   "delivers replies through the Graph API");
}

absl::Status ValidateOptions(const Options& options) {
  // A claim is in doubt from its next owner's takeover on; by the end of the watch its POST must be long over.
  if (options.reconcile_ms <= options.lease_ms + options.post_timeout_ms) {
    return absl::InvalidArgumentError(
        "--reconcile-ms must exceed --lease-ms plus --post-timeout-ms: a send could still be "
        "under way when the doubt about it is decided");
  }
  return absl::OkStatus();
}

CoreOptions CoreOptionsOf(const Options& options) {
  CoreOptions core;
  core.lane.lease = std::chrono::milliseconds(options.lease_ms);
  core.lane.post_timeout = std::chrono::milliseconds(options.post_timeout_ms);
  core.lane.reconcile = std::chrono::milliseconds(options.reconcile_ms);
  // Half a window: what waits for session must leave room for sends.
  core.lane.unreported_span_max = static_cast<std::size_t>(options.window_records_max) / 2;
  core.sends_in_flight_max = static_cast<std::size_t>(options.connections_per_host_max);
  core.graph_throttle_k = options.graph_throttle_k;
  core.probe_interval = std::chrono::seconds(options.park_probe_s);
  return core;
}

ReplyWindow ReplyWindowOf(const Options& options) {
  return {static_cast<std::size_t>(options.window_records_max), static_cast<std::size_t>(options.window_mib_max) << 20};
}

}  // namespace sender
