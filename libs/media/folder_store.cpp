#include "libs/media/folder_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/telemetry/log.h"

namespace media {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBlockBytes = 4096;

// A file's share of the folder: many small ones must not count as none.
std::int64_t CostOf(std::int64_t bytes) { return (bytes + kBlockBytes) / kBlockBytes * kBlockBytes; }

absl::Status CannotWrite(std::string_view path, std::string_view why) {
  return absl::FailedPreconditionError(
      base::StrCat("media folder: cannot write ", path, ": ", why, "; change --media-store or the folder's rights"));
}

// The whole text or nothing is under `path` afterwards.
absl::Status WriteFile(const std::string& path, std::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return CannotWrite(path, std::strerror(errno));
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::close(fd);
      ::unlink(path.c_str());
      return CannotWrite(path, std::strerror(error));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  const bool is_synced = ::fdatasync(fd) == 0;
  const int error = errno;
  if (::close(fd) == 0 && is_synced) return absl::OkStatus();
  ::unlink(path.c_str());
  return CannotWrite(path, std::strerror(is_synced ? errno : error));
}

struct KeptFile {
  fs::path path;
  fs::file_time_type put_at;
  std::int64_t cost = 0;
};

std::vector<KeptFile> ListFiles(const std::string& folder) {
  std::vector<KeptFile> files;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code gone;  // by another process
    if (!at->is_regular_file(gone) || gone) continue;
    const fs::file_time_type put_at = at->last_write_time(gone);
    const auto bytes = static_cast<std::int64_t>(at->file_size(gone));
    if (!gone) files.push_back({at->path(), put_at, CostOf(bytes)});
  }
  return files;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderStore>> FolderStore::Open(const FolderStoreOptions& options) {
  std::error_code error;
  const bool exists = fs::exists(options.folder, error);
  if (exists &&
      (!fs::is_directory(options.folder, error) || ::access(options.folder.c_str(), R_OK | W_OK | X_OK) != 0)) {
    return CannotWrite(options.folder, "it is no folder of ours");
  }
  return std::unique_ptr<FolderStore>(new FolderStore(options));
}

absl::StatusOr<std::string> FolderStore::PathOf(const StoreKey& key) const {
  const absl::StatusOr<std::string> path = key.Path();
  if (!path.ok()) return path.status();
  return base::StrCat(options_.folder, "/", *path);
}

absl::Status FolderStore::Put(const StoreKey& key, std::string_view bytes) {
  const absl::StatusOr<std::string> path = PathOf(key);
  if (!path.ok()) return path.status();
  const std::int64_t cost = CostOf(static_cast<std::int64_t>(bytes.size()));
  if (cost > options_.bytes_max) {
    return absl::ResourceExhaustedError("media folder: the file is larger than --media-store-bytes-max");
  }
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ < 0 || bytes_ + cost > options_.bytes_max) MakeRoom(cost);
    bytes_ += cost;
  }
  return Write(*path, bytes);
}

absl::Status FolderStore::Write(const std::string& path, std::string_view bytes) {
  std::error_code error;
  if (fs::create_directories(options_.folder, error)) {  // of a folder that was there the rights stay
    fs::permissions(options_.folder, fs::perms::owner_all, error);
  }
  if (!error) fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return CannotWrite(path, error.message());
  const std::string partial = base::StrCat(options_.folder, "/tmp-", static_cast<std::int64_t>(::getpid()), "-",
                                           static_cast<std::int64_t>(writes_.fetch_add(1)));
  ::unlink(partial.c_str());  // of an earlier process with our number
  if (absl::Status status = WriteFile(partial, bytes); !status.ok()) return status;
  if (::rename(partial.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int rename_error = errno;
  ::unlink(partial.c_str());
  return CannotWrite(path, std::strerror(rename_error));
}

absl::StatusOr<std::string> FolderStore::Get(const StoreKey& key) {
  const absl::StatusOr<std::string> path = PathOf(key);
  if (!path.ok()) return path.status();
  std::ifstream file(*path, std::ios::binary);
  if (!file) return absl::NotFoundError("media folder: no such file");
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::Status FolderStore::Delete(const StoreKey& key) {
  const absl::StatusOr<std::string> path = PathOf(key);
  if (!path.ok()) return path.status();
  if (::unlink(path->c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return absl::OkStatus();
  return CannotWrite(*path, std::strerror(errno));
}

void FolderStore::Expire() {
  const std::lock_guard lock(mutex_);
  MakeRoom(0);
}

void FolderStore::MakeRoom(std::int64_t room) {
  std::vector<KeptFile> files = ListFiles(options_.folder);
  std::ranges::sort(files, {}, &KeptFile::put_at);
  bytes_ = 0;
  for (const KeptFile& file : files) bytes_ += file.cost;
  // Once it is full, a tenth at a time: not the whole folder looked through for each file.
  const bool is_full = bytes_ + room > options_.bytes_max;
  const std::int64_t target = options_.bytes_max - (is_full ? options_.bytes_max / 10 : 0);
  const fs::file_time_type oldest =
      fs::file_time_type::clock::now() - std::chrono::duration_cast<fs::file_time_type::duration>(options_.keep);
  std::size_t removed = 0;
  for (const KeptFile& file : files) {
    if (file.put_at >= oldest && bytes_ + room <= target) break;
    std::error_code error;
    fs::remove(file.path, error);
    bytes_ -= file.cost;
    ++removed;
  }
  if (removed > 0) telemetry::LogInfo("media_removed", {{"files", removed}, {"bytes_kept", bytes_}});
}

}  // namespace media
