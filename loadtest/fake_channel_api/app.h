#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/app/event_loop.h"
#include "libs/http/client.h"
#include "libs/http/server.h"
#include "libs/telemetry/metrics.h"
#include "loadtest/fake_channel_api/account_desk.h"
#include "loadtest/fake_channel_api/action.h"
#include "loadtest/fake_channel_api/faults.h"
#include "loadtest/fake_channel_api/feedback.h"
#include "loadtest/fake_channel_api/media.h"
#include "loadtest/fake_channel_api/options.h"
#include "loadtest/fake_channel_api/send_log.h"

namespace fake_channel_api {

// The stand-in for the Graph API: takes sends as Meta does, writes down what users would see, and misbehaves on
// request. Routes and knobs: README.md in this folder.
class App {
 public:
  // Opens the accounts and the sends file and listens. Errors name the option to change.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Options& options, telemetry::Registry& metrics);
  ~App();

  std::uint16_t port() const { return server_->port(); }
  void Drain();

 private:
  App(const Options& options, telemetry::Registry& metrics);

  void AddRoutes();
  void OnSend(const http::Request& request, http::Responder respond);
  http::Response OnUpload(const http::Request& request, std::string_view edge);
  void AnswerLater(http::Response response, std::int64_t delay_ms, http::Responder respond);
  void OnFile(const http::Request& request, http::Responder respond);
  http::Response OnValidSend(Send send, const account::Account& account, const Faults::Fault& fault);
  http::Response OnGetObject(const http::Request& request);
  http::Response OnAction(Action action, const account::Account& account);
  http::Response OnGetLines(const http::Request& request, const SendLog& log) const;
  http::Response OnControl(const http::Request& request);

  telemetry::Registry& metrics_;
  const std::string id_prefix_;  // random a process, so that message ids never repeat
  std::atomic<std::uint64_t> next_id_{1};
  Faults faults_;
  AccountDesk desk_;
  Media media_;
  const telemetry::Counter accepted_total_;
  const telemetry::Counter refused_total_;
  const telemetry::Counter actions_total_;
  std::unique_ptr<SendLog> sends_;
  std::unique_ptr<SendLog> actions_;  // in memory alone
  std::unique_ptr<account::AccountFile> accounts_;
  std::unique_ptr<app::EventLoop> loop_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Feedback> feedback_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace fake_channel_api
