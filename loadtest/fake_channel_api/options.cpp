#include "loadtest/fake_channel_api/options.h"

namespace fake_channel_api {

void RegisterOptions(config::OptionTable& table, Options* options) {
  table.Add("address", &options->address, {.doc = "Address to listen on."});
  table.Add("port", &options->port, {.doc = "Port to listen on; 0 takes any free one.", .max = 65535});
  table.Add("accounts", &options->accounts,
            {.doc = "Accounts whose tokens are accepted; the file of the services.", .unit = "file"});
  table.Add("sends-file", &options->sends_file,
            {.doc = "Every accepted send is appended here as one line of JSON before it is answered.", .unit = "file"});
  table.Add("sends-fsync", &options->sends_fsync,
            {.doc = "Sync the sends file after each line, so that a power cut loses none."});
  table.Add("status-webhooks", &options->status_webhooks,
            {.doc = "Base URL of a gateway that is told what became of each send: sent and delivered statuses, echoes.",
             .unit = "url"});
  table.Add("threads", &options->threads, {.doc = "Threads of the HTTP server.", .min = 1, .max = 64});
  table.Add("log-level", &options->log_level,
            {.doc = "Lines below are dropped.", .choices = {"debug", "info", "warning", "error"}});
  table.Add("log-path", &options->log_path, {.doc = "Where log lines go; empty for stderr.", .unit = "file"});
  table.Add("delay-ms", &options->delay_ms,
            {.doc = "Every answer waits this long; the send is recorded before.", .unit = "ms", .max = 600000});
  table.Add("fail-next", &options->fail_next, {.doc = "This many sends fail first.", .unit = "sends", .max = 1e9});
  table.Add("fail-http-status", &options->fail_http_status,
            {.doc = "HTTP status of those failures.", .min = 400, .max = 599});
  table.Add("fail-code", &options->fail_code, {.doc = "Error code in their Graph error object.", .max = 1e9});
  table.Add("fail-with-error-object", &options->fail_with_error_object,
            {.doc = "Whether they carry a Graph error object; without one the sender cannot know what happened."});
  table.Add("rate-limit", &options->rate_limit,
            {.doc = "Accepted sends a second and account; 0 for no limit.", .unit = "sends", .max = 1e6});
  table.Add("accept-then-drop", &options->accept_then_drop,
            {.doc = "This many sends are recorded and their connection is closed without an answer.",
             .unit = "sends",
             .max = 1e9});
  table.AddExample("fake_channel_api --accounts=.run/accounts.yaml --sends-file=.run/sends.jsonl",
                   "accepts the sends of the local mesh and writes them down");
  table.AddExample("fake_channel_api --accept-then-drop=3",
                   "the first three sends are shown to the user but never answered");
}

}  // namespace fake_channel_api
