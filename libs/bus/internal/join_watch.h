#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>

namespace bus::internal {

// Whether this member is on its way into a new generation of its group: a JoinGroup request was sent and the SyncGroup
// that completes it was not answered.
//
// Why this matters: the coordinator answers the requests of a connection in turn, so a commit sent behind a JoinGroup
// is read after the generation has changed and is refused (ILLEGAL_GENERATION). librdkafka 2.0.2 then takes its whole
// assignment for lost, which stops all work in flight and starts the next rebalance. Its own automatic commits wait for
// the end of the join; explicit ones do not, and no call tells the state of the join. So the requests are watched.
//
// Threading: written by the library's broker threads, read by the poll thread. Outlives the clients that it watches.
class JoinWatch {
 public:
  void Attach(rd_kafka_conf_t* conf);  // before the client is made
  void Reset();                        // for a new client

  bool joining() const { return joining_; }
  bool sent() const { return sent_; }          // a JoinGroup, ever
  bool answered() const { return answered_; }  // a JoinGroup, ever

 private:
  static rd_kafka_resp_err_t OnNew(rd_kafka_t* client, const rd_kafka_conf_t* conf, void* opaque, char* error_text,
                                   size_t error_text_size);
  static rd_kafka_resp_err_t OnRequestSent(rd_kafka_t* client, int socket, const char* broker, int32_t broker_id,
                                           int16_t api_key, int16_t api_version, int32_t correlation_id, size_t size,
                                           void* opaque);
  static rd_kafka_resp_err_t OnResponse(rd_kafka_t* client, int socket, const char* broker, int32_t broker_id,
                                        int16_t api_key, int16_t api_version, int32_t correlation_id, size_t size,
                                        int64_t round_trip, rd_kafka_resp_err_t error, void* opaque);

  std::atomic<bool> joining_{false};
  std::atomic<bool> sent_{false};
  std::atomic<bool> answered_{false};
};

}  // namespace bus::internal
