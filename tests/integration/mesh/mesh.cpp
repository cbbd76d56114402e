#include "tests/integration/mesh/mesh.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/base/check.h"
#include "libs/channel/codec.h"
#include "libs/json/value.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

constexpr std::string_view kChannels[] = {"whatsapp", "messenger", "instagram"};
constexpr auto kRequestTimeout = std::chrono::seconds(15);
constexpr auto kCommandTimeout = std::chrono::seconds(60);

std::string AppSecret(std::string_view channel) { return std::string(channel) + "-app-secret"; }

std::string EnvironmentOr(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : value;
}

std::string Binary(const std::string& name) { return EnvironmentOr("MESH_BIN_DIR", "build/bin") + "/" + name; }

std::string ModelPath() {
  return EnvironmentOr("MESH_MODEL",
                       EnvironmentOr("MESH_SOURCE_DIR", ".") + "/.run/models/SmolLM2-135M-Instruct.Q4_1.gguf");
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string Field(const json::Value& line, std::string_view name) {
  return std::string(line.Find(name).AsString().value_or(""));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Mesh>> Mesh::StartNew(const MeshOptions& options) {
  auto mesh = std::unique_ptr<Mesh>(new Mesh());
  absl::StatusOr<std::unique_ptr<harness::KafkaBroker>> kafka = harness::KafkaBroker::StartNew();
  if (!kafka.ok()) return kafka.status();
  mesh->kafka_ = *std::move(kafka);
  absl::StatusOr<std::unique_ptr<harness::RedisServer>> redis = harness::RedisServer::StartNew();
  if (!redis.ok()) return redis.status();
  mesh->redis_ = *std::move(redis);

  mesh->graph_port_ = harness::FreePort();
  mesh->gateway_port_ = harness::FreePort();
  mesh->session_port_ = harness::FreePort();
  mesh->bus_.brokers = mesh->kafka_->address();
  mesh->WriteAccounts(options);
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create({}, "mesh_test", mesh->registry_);
  if (!client.ok()) return client.status();
  mesh->http_ = *std::move(client);
  mesh->session_ = session::Client::Create(absl::StrCat("127.0.0.1:", mesh->session_port_));

  mesh->DefineServices(options);
  for (auto& [name, service] : mesh->services_) {
    if (absl::Status status = mesh->StartProcess(service); !status.ok()) return status;
  }
  for (auto& [name, service] : mesh->services_) {
    if (absl::Status status = mesh->WaitReady(name); !status.ok()) return status;
  }
  return mesh;
}

std::string Mesh::AccountId(std::string_view channel) {
  if (channel == "whatsapp") return "100000000000001";
  return channel == "messenger" ? "200000000000002" : "300000000000003";
}

void Mesh::WriteAccounts(const MeshOptions& options) {
  std::string yaml = "accounts:\n";
  for (const std::string_view name : kChannels) {
    const std::string channel(name);
    for (const char* secret : {"app-secret", "verify-token", "access-token"}) {
      const std::string path = dir_.File(channel + "-" + secret);
      std::ofstream(path) << channel << "-" << secret << "\n";
      chmod(path.c_str(), 0600);
    }
    absl::StrAppend(&yaml, "  - tenant: test\n    channel: ", channel, "\n    account_id: \"", AccountId(channel),
                    "\"\n    development: true\n    app_secret_file: ", channel,
                    "-app-secret\n    verify_token_file: ", channel, "-verify-token\n    access_token_file: ", channel,
                    "-access-token\n    graph_base_url: http://127.0.0.1:", graph_port_,
                    "\n    answer_tokens_max: 48\n    user_sends_per_second_max: 1000\n");
    for (const std::string& field : options.account_fields) absl::StrAppend(&yaml, "    ", field, "\n");
  }
  std::ofstream(dir_.File("accounts.yaml")) << yaml;
}

void Mesh::Define(const std::string& name, std::uint16_t admin_port, std::vector<std::string> flags) {
  Service service;
  service.command = {Binary(name)};
  service.admin_port = admin_port;
  service.log_path = dir_.File(name + ".log");
  if (name != "fake_channel_api") service.command.push_back(absl::StrCat("--admin-port=", admin_port));
  service.command.insert(service.command.end(), flags.begin(), flags.end());
  services_.emplace(name, std::move(service));
}

void Mesh::DefineServices(const MeshOptions& options) {
  const std::string accounts = "--accounts=" + dir_.File("accounts.yaml");
  const std::string brokers = "--kafka-brokers=" + kafka_->address();
  const std::string target = absl::StrCat("--session-target=127.0.0.1:", session_port_);
  const std::string redis = absl::StrCat("--redis-port=", redis_->port());

  Define("fake_channel_api", graph_port_,
         {absl::StrCat("--port=", graph_port_), accounts, "--sends-file=" + dir_.File("sends.jsonl"),
          absl::StrCat("--status-webhooks=http://127.0.0.1:", gateway_port_)});
  Define("session", harness::FreePort(), {absl::StrCat("--grpc-port=", session_port_), redis});
  std::vector<std::string> worker = {accounts, brokers, target, "--engine=" + options.engine,
                                     "--media-store=" + MediaFolder()};
  if (options.engine == "llm") {
    worker.push_back("--model=" + (options.model_path.empty() ? ModelPath() : options.model_path));
  }
  worker.insert(worker.end(), options.worker_flags.begin(), options.worker_flags.end());
  Define("worker", harness::FreePort(), std::move(worker));
  services_.at("worker").environment = options.worker_environment;
  Define("sender", harness::FreePort(),
         {accounts, brokers, target, "--lease-ms=1000", "--post-timeout-ms=1500", "--reconcile-ms=3000"});
  Define("gateway", harness::FreePort(), {absl::StrCat("--port=", gateway_port_), accounts, brokers});
}

absl::Status Mesh::StartProcess(Service& service) {
  absl::StatusOr<std::unique_ptr<harness::ChildProcess>> process = harness::ChildProcess::Start(
      {.command = service.command, .log_path = service.log_path, .environment = service.environment});
  if (!process.ok()) return process.status();
  service.process = *std::move(process);
  return absl::OkStatus();
}

int Mesh::Post(std::string_view channel, const std::string& body, const std::string& signature_header) {
  http::ClientRequest request;
  request.url = absl::StrCat("http://127.0.0.1:", gateway_port_, "/webhooks/", std::string(channel));
  request.headers = {{"Content-Type", "application/json"}};
  if (!signature_header.empty()) request.headers.emplace_back("X-Hub-Signature-256", signature_header);
  if (!traceparent_.empty()) request.headers.emplace_back("traceparent", traceparent_);
  request.body = body;
  request.deadline = std::chrono::steady_clock::now() + kRequestTimeout;
  const http::ClientResult result = http_->SendAndWait(std::move(request));
  return result.ok ? result.response.status : 0;
}

int Mesh::PostSigned(std::string_view channel, const std::string& body) {
  return Post(channel, body, channel::SignatureFor(body, crypto::Secret(AppSecret(channel))));
}

int Mesh::PostText(std::string_view channel, std::string_view user, std::string_view message_id,
                   std::string_view text) {
  return PostSigned(channel, TextMessageBody(channel, AccountId(channel), user, message_id, text));
}

std::vector<Send> Mesh::Screen(std::string_view user) const {
  std::vector<Send> sends;
  std::ifstream file(dir_.File("sends.jsonl"));
  for (std::string line; std::getline(file, line);) {
    const absl::StatusOr<json::Document> document = json::Document::Parse(line);
    if (!document.ok()) continue;  // the line that is being written
    const json::Value root = document->root();
    if (!user.empty() && Field(root, "user") != user) continue;
    sends.push_back({.ts_ms = root.Find("ts_ms").AsInt64Lenient().value_or(0),
                     .channel = Field(root, "channel"),
                     .user = Field(root, "user"),
                     .message_id = Field(root, "message_id"),
                     .text = Field(root, "text"),
                     .kind = Field(root, "kind"),
                     .content = root.Find("content").Raw(),
                     .in_reply_to = Field(root, "in_reply_to"),
                     .traceparent = Field(root, "traceparent")});
  }
  return sends;
}

std::vector<Action> Mesh::Actions() {
  std::vector<Action> actions;
  for (const absl::string_view line : absl::StrSplit(Get(AdminUrl("fake_channel_api") + "/actions"), '\n')) {
    const absl::StatusOr<json::Document> document = json::Document::Parse({line.data(), line.size()});
    if (!document.ok()) continue;  // the empty one behind the last
    const json::Value root = document->root();
    actions.push_back({.ts_ms = root.Find("ts_ms").AsInt64Lenient().value_or(0),
                       .channel = Field(root, "channel"),
                       .user = Field(root, "user"),
                       .message_id = Field(root, "message_id"),
                       .action = Field(root, "action")});
  }
  return actions;
}

std::vector<Send> Mesh::WaitForScreen(std::string_view user, std::size_t count, base::Duration timeout) {
  // What is there when the time is up is returned and judged by the caller.
  static_cast<void>(harness::WaitUntil([&] { return Screen(user).size() >= count; }, timeout));
  return Screen(user);
}

harness::ChildProcess& Mesh::process(const std::string& service) { return *services_.at(service).process; }

absl::Status Mesh::Restart(const std::string& service) { return StartProcess(services_.at(service)); }

void Mesh::SetEnvironment(const std::string& service, std::vector<std::pair<std::string, std::string>> environment) {
  services_.at(service).environment = std::move(environment);
}

std::string Mesh::AdminUrl(const std::string& service) const {
  return absl::StrCat("http://127.0.0.1:", services_.at(service).admin_port);
}

std::string Mesh::Get(const std::string& url) {
  http::ClientRequest request;
  request.method = "GET";
  request.url = url;
  request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const http::ClientResult result = http_->SendAndWait(std::move(request));
  return result.ok && result.response.status == 200 ? result.response.body + "\n" : "";
}

bool Mesh::IsReady(const std::string& service) {
  const std::string path = service == "fake_channel_api" ? "/healthz" : "/readyz";
  const std::string answer = Get(AdminUrl(service) + path);
  return !answer.empty() && !answer.starts_with("degraded");
}

absl::Status Mesh::WaitReady(const std::string& service, base::Duration timeout) {
  if (harness::WaitUntil([&] { return IsReady(service) || !process(service).IsRunning(); }, timeout) &&
      process(service).IsRunning()) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(absl::StrCat(service, " did not become ready:\n", LogText(service)));
}

double Mesh::Metric(const std::string& service, std::string_view line_start) {
  for (const absl::string_view line : absl::StrSplit(Get(AdminUrl(service) + "/metrics"), '\n')) {
    if (line.size() > line_start.size() && std::string_view(line.data(), line_start.size()) == line_start) {
      return std::atof(std::string(line.substr(line.rfind(' ') + 1)).c_str());
    }
  }
  return 0;
}

Mesh::CommandResult Mesh::Meshctl(std::vector<std::string> arguments) {
  std::ofstream(dir_.File("meshctl.yaml")) << "common: {}\n";  // in place of that of a mesh that runs beside the tests
  const std::string log_path = dir_.File(absl::StrCat("meshctl.", ++commands_, ".log"));
  std::vector<std::string> command = {Binary("meshctl")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back("--config=" + dir_.File("meshctl.yaml"));
  command.push_back("--kafka-brokers=" + kafka_->address());
  command.push_back(absl::StrCat("--session-target=127.0.0.1:", session_port_));
  command.push_back("--accounts=" + dir_.File("accounts.yaml"));
  const absl::StatusOr<int> code =
      harness::RunToEnd({.command = command, .log_path = log_path, .environment = {}}, kCommandTimeout);
  return {code.ok() ? *code : -1, ReadFile(log_path)};
}

std::string Mesh::LogText(const std::string& service) const { return ReadFile(services_.at(service).log_path); }

std::string Mesh::LogEnds() const {
  constexpr std::size_t kEndBytes = 1500;
  std::string ends;
  for (const auto& [name, service] : services_) {
    const std::string text = ReadFile(service.log_path);
    absl::StrAppend(&ends, "--- ", name, "\n", text.substr(text.size() - std::min(text.size(), kEndBytes)));
  }
  return ends;
}

Mesh& SharedMesh(const MeshOptions& options) {
  static const std::unique_ptr<Mesh> mesh = [&] {
    absl::StatusOr<std::unique_ptr<Mesh>> started = Mesh::StartNew(options);
    if (!started.ok()) {
      std::fprintf(stderr, "the mesh did not start: %s\n", std::string(started.status().message()).c_str());
      std::exit(1);
    }
    return *std::move(started);
  }();
  return *mesh;
}

}  // namespace mesh_test
