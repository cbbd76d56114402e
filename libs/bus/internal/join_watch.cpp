#include "libs/bus/internal/join_watch.h"

#include "libs/base/check.h"

namespace bus::internal {
namespace {

constexpr const char* kName = "join_watch";

// https://kafka.apache.org/protocol#protocol_api_keys
constexpr int16_t kJoinGroup = 11;
constexpr int16_t kLeaveGroup = 13;
constexpr int16_t kSyncGroup = 14;

}  // namespace

void JoinWatch::Attach(rd_kafka_conf_t* conf) {
  CHECK(rd_kafka_conf_interceptor_add_on_new(conf, kName, &OnNew, this) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

void JoinWatch::Reset() {
  joining_ = false;
  sent_ = false;
  answered_ = false;
}

rd_kafka_resp_err_t JoinWatch::OnNew(rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*, size_t) {
  const rd_kafka_resp_err_t error = rd_kafka_interceptor_add_on_request_sent(client, kName, &OnRequestSent, opaque);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  return rd_kafka_interceptor_add_on_response_received(client, kName, &OnResponse, opaque);
}

rd_kafka_resp_err_t JoinWatch::OnRequestSent(rd_kafka_t*, int, const char*, int32_t, int16_t api_key, int16_t, int32_t,
                                             size_t, void* opaque) {
  if (api_key == kJoinGroup) {
    static_cast<JoinWatch*>(opaque)->sent_ = true;
    static_cast<JoinWatch*>(opaque)->joining_ = true;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t JoinWatch::OnResponse(rd_kafka_t*, int, const char*, int32_t, int16_t api_key, int16_t, int32_t,
                                          size_t, int64_t, rd_kafka_resp_err_t, void* opaque) {
  if (api_key == kJoinGroup) static_cast<JoinWatch*>(opaque)->answered_ = true;
  if (api_key == kSyncGroup || api_key == kLeaveGroup) static_cast<JoinWatch*>(opaque)->joining_ = false;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace bus::internal
