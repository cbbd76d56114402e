#include "services/worker/config.h"

#include "libs/session/client.h"

namespace worker {
namespace {

void RegisterEngineOptions(config::OptionTable& table, Options* options) {
  engine::EngineOptions& engine = options->engine;
  table.Add(
      "engine", &options->engine_kind,
      {.doc = "llm: a real model. echo: answers with the input; for load and fault tests, and refused where an account "
              "is not marked `development: true`.",
       .choices = {"llm", "echo"}});
  table.Add("model", &engine.model_path, {.doc = "GGUF file of the model (llm only)."});
  table.Add(
      "model-sha256", &options->model_sha256,
      {.doc = "SHA-256 that the model file must have, in hex; the worker refuses another file. Empty: only the file's "
              "structure is checked, which cannot see an altered weight."});
  table.Add("threads", &engine.threads,
            {.doc = "Threads of the forward pass; 0: one a core, within the container's quota.",
             .unit = "threads",
             .min = 0,
             .max = 256});
  table.Add(
      "kv-blocks", &engine.kv_blocks,
      {.doc = "KV cache blocks. More: more conversations at once, or longer ones. 0: 512, and on a card as many as "
              "its memory takes beside the weights.",
       .unit = "blocks",
       .min = 0,
       .max = 1 << 24});
  table.Add("block-size", &engine.block_size,
            {.doc = "Tokens in a KV block; 16, 32, 64 or 128 on a card.", .unit = "tokens", .min = 1, .max = 256});
  table.Add(
      "sequences-max", &engine.sequences_max,
      {.doc = "Sequences that run in one batch. 0: 32, and 64 on a card.", .unit = "sequences", .min = 0, .max = 4096});
  table.Add("queue-max", &engine.queue_max,
            {.doc = "Sequences accepted beyond those that run.", .unit = "sequences", .min = 1, .max = 65536});
  table.Add(
      "step-tokens-max", &engine.step_tokens_max,
      {.doc = "Tokens of one step. More: faster prefill, longer gaps between the tokens of running answers. 0: 512, "
              "and 2048 on a card; at least sequences-max.",
       .unit = "tokens",
       .min = 0,
       .max = 65536});
  table.Add("context-tokens-max", &engine.context_tokens_max,
            {.doc = "Prompt and answer of one turn together, at least 2; 0: as much as model and pool allow.",
             .unit = "tokens",
             .min = 0,
             .max = 1 << 20});
  table.Add(
      "prefix-cache", &engine.prefix_cache,
      {.doc = "Keep what conversations computed, until its KV blocks are wanted, so that the next turn and prompts "
              "that begin alike start behind it. Never across tenants."});
  table.Add(
      "activations", &engine.activations,
      {.doc = "Inputs of matrix products on the CPU. int8: rounded to 8 bits where the weights are quantised, several "
              "times faster; other weights are rounded to BF16. f32: neither is rounded.",
       .choices = {"int8", "f32"}});
  table.Add(
      "swap-blocks", &engine.swap_blocks,
      {.doc = "KV blocks beside the pool, for conversations that are preempted; 0: they are computed again. -1: on "
              "the CPU half of kv-blocks, on a card none.",
       .unit = "blocks",
       .min = -1,
       .max = 1 << 24});
  table.Add(
      "device", &engine.device,
      {.doc = "Where the forward pass runs. cuda: a card, in a build for it (make build CUDA=1). emulator: the device "
              "kernels on the CPU, thousands of times slower, in a build without CUDA; for development and tests.",
       .choices = {"cpu", "cuda", "emulator"}});
  table.Add("device-ordinal", &engine.device_ordinal,
            {.doc = "Which card, as the driver numbers them; the first of several.", .min = 0, .max = 1023});
  table.Add(
      "tensor-parallel", &engine.tensor_parallel,
      {.doc = "Cards that share the model, from device-ordinal on. Must divide its query heads, key and value heads "
              "and feed-forward width; more than 1 needs NCCL 2.",
       .unit = "cards",
       .min = 1,
       .max = 8});
  table.Add(
      "weights", &engine.weights,
      {.doc = "Weights on a card. file: Q8_0, Q4_0, Q4_1 and Q4_K as in the file, others BF16. bf16: all widened. "
              "fp8: E4M3 with a scale a row, half of bf16's memory, a little less exact; the output matrix BF16.",
       .choices = {"file", "bf16", "fp8"}});
  table.Add(
      "kv", &engine.kv,
      {.doc = "KV cache. On the CPU f16, or q8: 8 bits a value, about half the memory, a little less exact, faster "
              "where the CPU has VNNI. On a card bf16, or fp8: half the memory, a little less exact. auto: q8 with "
              "VNNI, else f16; on a card bf16.",
       .choices = {"auto", "f16", "q8", "bf16", "fp8"}});
  table.Add("echo-step-ms", &options->echo_step_ms,
            {.doc = "How long a step of the echo engine takes.", .unit = "ms", .min = 0, .max = 10000});
  table.Add("echo-steps-max", &options->echo_steps_max,
            {.doc = "Steps of the echo engine's longest answer: a longer text has larger tokens. 0: a step for every "
                    "four characters.",
             .unit = "steps",
             .min = 0,
             .max = 100000});
}

void RegisterMediaOptions(config::OptionTable& table, Options* options) {
  table.Add(
      "media-store", &options->media_store.folder,
      {.doc = "Where the files that users send are kept, by tenant and turn: a folder, made when it is missing, which "
              "workers may share; or a bucket of an S3-compatible service, https://host/bucket/prefix?region=name. "
              "Empty: nothing is fetched, and the model is told what kind of file came.",
       .unit = "folder or url"});
  table.Add("media-store-credentials-file", &options->media_store_credentials_file,
            {.doc = "For a bucket: a file of two lines, access key id and secret access key.", .unit = "file"});
  table.Add("media-store-bytes-max", &options->media_store.bytes_max,
            {.doc = "All files in the folder together; beyond that the oldest go. A bucket has rules of its own.",
             .unit = "bytes",
             .min = 1 << 20,
             .max = static_cast<double>(std::int64_t{1} << 40)});
  table.Add("media-keep-hours", &options->media_keep_hours,
            {.doc = "Files in the folder go this long after they came.", .unit = "hours", .min = 1, .max = 24 * 365});
  table.Add(
      "media-hosts", &options->media.hosts_more,
      {.doc = "Hosts beside Meta's from which files may be fetched, for all channels: of whoever forwards webhooks "
              "to you and puts URLs of its own into them. A name, or .name for every name below it; https on port "
              "443 and public addresses only. WhatsApp's access token goes to it.",
       .unit = "host,..."});
  table.Add("media-bytes-max", &options->media.bytes_max,
            {.doc = "Of one file, within what its channel allows. media-fetches-max times as much memory may be taken, "
                    "and twice that for files that do not say their size.",
             .unit = "bytes",
             .min = 1024,
             .max = 100 << 20});
  table.Add("media-fetches-max", &options->media.fetches_max,
            {.doc = "Files fetched at once, one fewer for turns that still wait; 256 more may wait.",
             .unit = "files",
             .min = 1,
             .max = 256});
  table.Add(
      "media-wait-ms", &options->media_wait_ms,
      {.doc = "How long a turn waits for its files, and half of its account's turn_deadline_s at most; then it is "
              "answered without them, and the model is told so.",
       .unit = "ms",
       .min = 0,
       .max = 60000});
}

}  // namespace

void RegisterOptions(config::OptionTable& table, Options* options) {
  options->common.admin_port = 9101;
  app::RegisterCommonOptions(table, &options->common);
  bus::RegisterBusOptions(table, &options->bus);
  RegisterEngineOptions(table, options);
  table.Add("accounts", &options->accounts, {.doc = "Accounts file; reloaded when it changes."});
  table.Add("session-target", &options->session_target,
            {.doc = "gRPC address of the session service.", .unit = "host:port"});
  session::RegisterThrottleOption(table, &options->session_throttle_k);
  table.Add("group", &options->group, {.doc = "Consumer group; the topic prefix is put before it."});
  bus::RegisterMemberOptions(table, &options->static_member_id, &options->session_timeout_ms);
  table.Add("window-records-max", &options->window_records_max,
            {.doc = "Records read ahead of the committed offset, per partition. A full window pauses the partition.",
             .unit = "records",
             .min = 64,
             .max = 18000});
  table.Add("window-mib-max", &options->window_mib_max,
            {.doc = "Keys and values of these records, per partition; a message may have 4 MiB.",
             .unit = "MiB",
             .min = 8,
             .max = 65536});
  RegisterMediaOptions(table, options);
  table.Add(
      "presence-renew-ms", &options->presence_renew_ms,
      {.doc = "How often \"typing\" is shown again while a turn is worked on, where its account's presence asks for "
              "it. WhatsApp takes it away after 25 s, Messenger and Instagram after about 20 s.",
       .unit = "ms",
       .min = 100,
       .max = 60000});
  table.AddExample("worker --model=SmolLM2-135M-Instruct.Q4_1.gguf --threads=2", "answers with a real model");
  table.AddExample("worker --model=llama-2-7b-chat.Q4_K_M.gguf --device=cuda", "answers on a card");
  table.AddExample("worker --engine=echo", "answers with the input, for load and fault tests");
}

ReadWindow ReadWindowOf(const Options& options) {
  return {static_cast<std::size_t>(options.window_records_max), static_cast<std::size_t>(options.window_mib_max) << 20};
}

engine::EngineOptions EngineOptionsOf(const Options& options) {
  engine::EngineOptions engine = options.engine;
  engine.kind = options.engine_kind == "echo" ? engine::EngineKind::kEcho : engine::EngineKind::kLlm;
  engine.echo_step_time = std::chrono::milliseconds(options.echo_step_ms);
  engine.echo_steps_max = options.echo_steps_max;
  return engine;
}

media::FolderStoreOptions MediaStoreOptionsOf(const Options& options) {
  media::FolderStoreOptions store = options.media_store;
  store.keep = std::chrono::hours(options.media_keep_hours);
  return store;
}

}  // namespace worker
