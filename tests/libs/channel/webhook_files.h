#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/bus/v1/bus.pb.h"

// The payloads under tests/golden/webhooks: one folder a channel, `x.json` beside `x.expected.json`.
namespace channel {

struct WebhookFile {
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string path;      // relative to the root of the project, as in the expected line
  std::string body;      // raw bytes
  std::string expected;  // one line, without the newline
};

// All of them, sorted by path. Stops the test run when the folder is not there: tests run in the project's root.
const std::vector<WebhookFile>& WebhookFiles();

// The body of one, for instance "whatsapp/text".
const std::string& WebhookBody(std::string_view name);

}  // namespace channel
