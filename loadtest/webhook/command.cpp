#include "loadtest/webhook/command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>

#include "libs/account/account_book.h"
#include "libs/app/app.h"
#include "libs/bus/options.h"
#include "libs/json/writer.h"
#include "loadtest/webhook/http_load.h"
#include "loadtest/webhook/produce_alone.h"
#include "loadtest/webhook/requests.h"

namespace loadtest {
namespace {

struct Options {
  HttpLoadOptions load{.host = "127.0.0.1", .port = 8080};
  std::int32_t port = 8080;
  std::string accounts = ".run/accounts.yaml";
  std::int32_t requests = 20000;
  double statuses_per_message = 0;
  bool produce_alone = false;
  std::int32_t linger_ms = 0;
  bool json = false;
  bus::BusOptions bus;
};

void Register(config::OptionTable& table, Options* options) {
  table.Add("address", &options->load.host,
            {.doc = "Address of the gateway; load goes to this machine only.", .choices = {"127.0.0.1"}});
  table.Add("port", &options->port, {.doc = "Port of the gateway.", .min = 1, .max = 65535});
  table.Add("accounts", &options->accounts,
            {.doc = "The gateway's accounts file; the first WhatsApp account signs.", .unit = "file"});
  table.Add("connections", &options->load.connections,
            {.doc = "Kept-alive connections with one webhook in flight on each.", .min = 1, .max = 10000});
  table.Add("seconds", &options->load.seconds, {.doc = "How long.", .unit = "s", .min = 0.1, .max = 3600});
  table.Add("rate", &options->load.rate,
            {.doc = "Webhooks a second, evenly; times then count from when each was due. 0: the next as soon as an "
                    "answer has come.",
             .unit = "webhooks/s",
             .min = 0,
             .max = 1e6});
  table.Add(
      "requests", &options->requests,
      {.doc = "Different webhooks, made before the clock runs and sent around and around.", .min = 1, .max = 1e6});
  table.Add("statuses-per-message", &options->statuses_per_message,
            {.doc = "Statuses beside each message; Meta sends three for each answer.", .min = 0, .max = 100});
  table.Add("produce-alone", &options->produce_alone,
            {.doc = "Afterwards measure what the producer alone writes there, and the share of it that was "
                    "acknowledged. Only with a "
                    "broker of its own: the records are turns that a worker would answer."});
  table.Add("linger-ms", &options->linger_ms,
            {.doc = "Of the producer alone; as the gateway's.", .unit = "ms", .min = 0, .max = 1000});
  table.Add("json", &options->json, {.doc = "Print one JSON object."});
  bus::RegisterBusOptions(table, &options->bus);
  table.AddExample("loadtest webhook --seconds=10 --connections=64", "as many as the gateway acknowledges");
  table.AddExample("loadtest webhook --rate=2000 --statuses-per-message=3",
                   "how soon they are acknowledged at a given rate");
}

double Percentile(std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

const account::Account* FirstWhatsApp(const account::AccountBook& book) {
  for (const account::Account& account : book.accounts()) {
    if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP && !account.app_secrets.empty()) return &account;
  }
  return nullptr;
}

void Print(const Options& options, HttpLoadResult& result, const std::optional<ProduceAlone>& alone) {
  std::ranges::sort(result.milliseconds);
  const auto acknowledged = static_cast<double>(result.milliseconds.size());
  std::int64_t others = 0;
  for (const auto& [status, count] : result.answers) others += status == 200 ? 0 : count;
  const double per_second = acknowledged / result.seconds;
  const double alone_per_second = alone ? static_cast<double>(alone->records) / alone->seconds : 0;
  json::Writer json;
  json.BeginObject();
  json.Field("acknowledged_per_second", std::round(per_second));
  json.Field("not_acknowledged", others);
  json.Field("overdue", result.overdue);
  for (const auto& [name, share] :
       {std::pair{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1.0}}) {
    json.Field(name, std::round(1000 * Percentile(result.milliseconds, share)) / 1000);
  }
  if (alone) {
    json.Field("record_bytes", static_cast<std::int64_t>(alone->record_bytes));
    json.Field("produced_alone_per_second", std::round(alone_per_second));
    json.Field("share_of_produced_alone", std::round(1000 * per_second / alone_per_second) / 1000);
  }
  json.EndObject();
  if (options.json) return void(std::printf("%s\n", std::move(json).Take().c_str()));
  std::printf(
      "%.0f webhooks/s acknowledged over %d connections in %.1f s; p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f "
      "ms\n",
      per_second, options.load.connections, result.seconds, Percentile(result.milliseconds, 0.5),
      Percentile(result.milliseconds, 0.9), Percentile(result.milliseconds, 0.99),
      Percentile(result.milliseconds, 0.999), Percentile(result.milliseconds, 1.0));
  for (const auto& [status, count] : result.answers) {
    if (status == 0 && count > 0) std::printf("%lld broke before an answer\n", static_cast<long long>(count));
    if (status != 0 && status != 200)
      std::printf("%lld were answered with %d\n", static_cast<long long>(count), status);
  }
  if (result.overdue > 0) {
    std::printf("%lld were due and not begun: the gateway is behind the rate, or --connections are too few\n",
                static_cast<long long>(result.overdue));
  }
  if (alone) {
    std::printf("the producer alone: %.0f records/s of %zu bytes; acknowledged webhooks are %.0f %% of that\n",
                alone_per_second, alone->record_bytes, 100 * per_second / alone_per_second);
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "loadtest: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int RunWebhook(int argc, const char* const* argv) {
  Options options;
  config::OptionTable table("loadtest webhook",
                            "Posts signed webhooks to a gateway on this machine and times their acknowledgement.");
  Register(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "loadtest webhook", argc, argv)) return *code;
  options.load.port = static_cast<std::uint16_t>(options.port);
  const auto book = account::AccountBook::Load(options.accounts);
  if (!book.ok()) return Fail(book.status());
  const account::Account* account = FirstWhatsApp(**book);
  if (account == nullptr)
    return Fail(absl::NotFoundError(options.accounts + " has no WhatsApp account with an app secret"));
  const std::vector<std::string> requests = SignedRequests(
      *account,
      {.host = options.load.host, .count = options.requests, .statuses_per_message = options.statuses_per_message});
  absl::StatusOr<HttpLoadResult> result = RunHttpLoad(options.load, requests);
  if (!result.ok()) return Fail(result.status());
  std::optional<ProduceAlone> alone;
  if (options.produce_alone) {
    const auto measured = MeasureProduceAlone(options.bus, options.linger_ms, options.load.seconds);
    if (!measured.ok()) return Fail(measured.status());
    alone = *measured;
  }
  Print(options, *result, alone);
  return result->milliseconds.empty() ? 1 : 0;
}

}  // namespace loadtest
