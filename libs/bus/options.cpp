#include "libs/bus/options.h"

namespace bus {

void RegisterBusOptions(config::OptionTable& table, BusOptions* options) {
  table.Add("kafka-brokers", &options->brokers,
            {.doc = "Kafka bootstrap servers. Two or three of a cluster are enough; the rest are found through them.",
             .unit = "host:port,..."});
  table.Add("kafka-topic-prefix", &options->topic_prefix,
            {.doc = "Put before every topic and consumer group, so that several installations share a cluster. A new "
                    "prefix is a new generation of topics.",
             .unit = ""});
  table.Add(
      "kafka-partitions", &options->partitions,
      {.doc = "Partitions of each conversation topic, used only when the topics are created. It cannot be changed "
              "afterwards, because conversations would move between partitions.",
       .unit = "partitions",
       .min = 1,
       .max = 1024});
  table.Add(
      "kafka-replication-factor", &options->replication_factor,
      {.doc = "Copies of each partition, used only when the topics are created. 3 in production: the topics then get "
              "min.insync.replicas=2, and no service starts on topics of three copies without it.",
       .unit = "copies",
       .min = 1,
       .max = 9});
  table.Add("kafka-client-id", &options->client_id,
            {.doc = "Names this process in the brokers' logs and quotas. Empty: <service>-<host>-<pid>.", .unit = ""});
  table.Add(
      "kafka-extra-config", &options->extra_config,
      {.doc = "Further librdkafka settings as key=value,key=value: TLS and SASL. A secret is read from a file when "
              "its name is followed by .location, as in sasl.password.location=/run/secrets/kafka. Settings that "
              "delivery rests on are refused.",
       .unit = ""});
}

void RegisterMemberOptions(config::OptionTable& table, std::string* static_member_id,
                           std::int32_t* session_timeout_ms) {
  table.Add(
      "static-member-id", static_member_id,
      {.doc = "group.instance.id, for a fleet whose members come back under the same name (a StatefulSet): a short "
              "restart then moves no partition. Empty: dynamic membership."});
  table.Add(
      "session-timeout-ms", session_timeout_ms,
      {.doc =
           "How long the group waits for a sign of life before it gives the partitions of a member to others: the "
           "work of a process that is killed is taken up by another this much later. Shorter moves partitions at "
           "each pause of network or machine, and below the broker's own broker.session.timeout.ms plus 4 s whenever "
           "the group's coordinator dies. The broker must allow it (group.min.session.timeout.ms, 6000 by default); "
           "groups of KIP-848 follow the broker's own setting.",
       .unit = "ms",
       .min = 1000,
       .max = 300000});
}

}  // namespace bus
