#pragma once

#include <string>

namespace harness {

// A folder of its own, removed with all it holds; kept when MESH_KEEP_TEMP is set, to look at logs after a failure.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace harness
