#pragma once

#include "tests/integration/mesh/mesh.h"

namespace mesh_test {

// The mesh of the tests about files, theirs and ours.
inline Mesh& MediaMesh() {
  return SharedMesh({.worker_flags = {"--media-wait-ms=3000"},
                     .account_fields = {"rich_answers: true", "rich_link_hosts: [files.example]"}});
}

}  // namespace mesh_test
