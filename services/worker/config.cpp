#include "services/worker/config.h"

namespace worker {

void RegisterOptions(config::OptionTable& table, Options* options) {
  options->common.admin_port = 9101;
  app::RegisterCommonOptions(table, &options->common);
  bus::RegisterBusOptions(table, &options->bus);
  engine::RegisterEngineOptions(table, &options->engine);
  table.Add("accounts", &options->accounts, {.doc = "Accounts file; reloaded when it changes."});
  table.Add("session-target", &options->session_target, {.doc = "gRPC address of the session service.", .unit = "host:port"});
  table.Add("group", &options->group, {.doc = "Consumer group; the topic prefix is put before it."});
  table.Add("static-member-id", &options->static_member_id,
            {.doc = "group.instance.id, for a fleet whose members come back under the same name (a StatefulSet): a short "
                    "restart then moves no partition. Empty: dynamic membership."});
  table.Add("window-records-max", &options->window_records_max,
            {.doc = "Records read ahead of the committed offset, per partition. A full window pauses the partition.",
             .unit = "records",
             .min = 64,
             .max = 18000});
  table.AddExample("worker --model=SmolLM2-135M-Instruct.Q4_1.gguf --threads=2", "answers with a real model");
  table.AddExample("worker --engine=echo", "answers with the input, for load and fault tests");
}

}  // namespace worker
