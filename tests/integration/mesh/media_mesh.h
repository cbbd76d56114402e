#pragma once

#include <string>

#include "libs/base/str_cat.h"
#include "libs/identity/identity.h"
#include "libs/media/store.h"
#include "tests/integration/mesh/mesh.h"

namespace mesh_test {

// The mesh of the tests about files, theirs and ours.
inline Mesh& MediaMesh() {
  return SharedMesh({.worker_flags = {"--media-wait-ms=3000"},
                     .account_fields = {"rich_answers: true", "rich_link_hosts: [files.example]"}});
}

// Where the first file of a message is.
inline std::string FileOf(const Mesh& mesh, const std::string& channel, const std::string& message) {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("test");
  conversation.set_channel(identity::ParseChannelName(channel).value());
  conversation.set_account(Mesh::AccountId(channel));
  const media::StoreKey key{.tenant = "test", .turn_id = identity::MakeTurnId(conversation, message).value()};
  return base::StrCat(mesh.MediaFolder(), "/", key.Path().value());
}

}  // namespace mesh_test
