#include "tests/integration/mesh/slow_mesh.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "libs/bus/log_reader.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"

namespace mesh_test {
namespace {

constexpr auto kReadTimeout = std::chrono::seconds(20);
constexpr std::int32_t kAuditPartitions = 3;

}  // namespace

Mesh& SlowMesh() {
  return SharedMesh(
      {.engine = "echo",
       .worker_flags = {"--echo-step-ms=100", "--presence-renew-ms=700"},
       .account_fields = {"queue_mode: interrupt", "handoff_words: [human]", "return_words: [bot]",
                          "handoff_text: A person comes.", "return_text: The bot is back.", "opt_out_text: Goodbye.",
                          "opt_in_text: Hello again.", "unreadable_text: What is that?",
                          std::string("disclosure_text: ") + kDisclosure}});
}

mesh::bus::v1::ConversationId ConversationOf(const std::string& user) {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("test");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  conversation.set_account(Mesh::AccountId("whatsapp"));
  conversation.set_user(user);
  return conversation;
}

std::string TurnIdOf(const std::string& user, const std::string& message_id) {
  return identity::MakeTurnId(ConversationOf(user), message_id).value();
}

// Turn id -> what `audit` says of it.
std::map<std::string, mesh::bus::v1::PolicyDrop> AuditOf(Mesh& mesh, const std::string& user) {
  std::map<std::string, mesh::bus::v1::PolicyDrop> drops;
  const std::string topic = bus::TopicName(mesh.bus(), bus::kAudit);
  std::vector<bus::TopicPartition> partitions;
  for (std::int32_t partition = 0; partition < kAuditPartitions; ++partition) {
    partitions.push_back({topic, partition});
  }
  const absl::Status status = bus::ReadThrough(
      mesh.bus(), "mesh_test", partitions,
      [&](const bus::Record& record) {
        mesh::bus::v1::AuditRecord audit;
        EXPECT_TRUE(audit.ParseFromString(record.value));
        if (audit.policy_drop().conversation().user() == user) {
          drops[audit.policy_drop().turn_id()] = audit.policy_drop();
        }
        return true;
      },
      std::chrono::steady_clock::now() + kReadTimeout);
  EXPECT_TRUE(status.ok()) << status;
  return drops;
}

}  // namespace mesh_test
