#include "tests/integration/harness/temp_dir.h"

#include <errno.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "libs/base/check.h"

namespace harness {

TempDir::TempDir() {
  // The test's name in the folder's tells whose it is when several runs share a machine.
  const std::string name = std::string("musemesh-") + program_invocation_short_name + "-XXXXXX";
  std::string pattern = (std::filesystem::temp_directory_path() / name).string();
  CHECK_MSG(mkdtemp(pattern.data()) != nullptr, pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  if (getenv("MESH_KEEP_TEMP") != nullptr) {
    std::fprintf(stderr, "kept %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;  // a file that a dying child still writes may stay behind
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace harness
