#pragma once

#include <map>
#include <string>

#include "proto/bus/v1/audit.pb.h"
#include "tests/integration/mesh/mesh.h"

namespace mesh_test {

// The mesh of mesh_interrupt_test: accounts in interrupt mode, an echo engine that takes seconds for an answer, words
// by which users ask for a person and for the bot, and a disclosure.
Mesh& SlowMesh();
inline constexpr char kDisclosure[] = "I am a machine.";

mesh::bus::v1::ConversationId ConversationOf(const std::string& user);  // on WhatsApp
std::string TurnIdOf(const std::string& user, const std::string& message_id);

// Turn id -> what `audit` says of it.
std::map<std::string, mesh::bus::v1::PolicyDrop> AuditOf(Mesh& mesh, const std::string& user);

}  // namespace mesh_test
