#pragma once

#include <cstdint>
#include <string>

#include "libs/http/message.h"
#include "proto/bus/v1/bus.pb.h"

namespace fake_channel_api {

// Meta's error object (channels.md 3.2), as one HTTP answer.
struct GraphError {
  int http_status = 400;
  std::int32_t code = 100;
  std::int32_t subcode = 0;  // 0: none
  std::string message = {};
  std::string details = {};  // WhatsApp only: error_data.details
  bool is_transient = false;
};

http::Response JsonAnswer(std::string body);  // 200
http::Response ToResponse(const GraphError& error, mesh::bus::v1::Channel channel);

GraphError InvalidParameter(std::string message, std::string details = {});
GraphError InvalidValue(std::string details);  // WhatsApp's 131009

}  // namespace fake_channel_api
