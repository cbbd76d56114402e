#include "tests/libs/channel/webhook_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libs/base/check.h"

namespace channel {
namespace {

constexpr char kRoot[] = "tests/golden/webhooks";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  CHECK_MSG(in.good(), path.string());
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return std::move(bytes).str();
}

std::vector<WebhookFile> Load() {
  CHECK_MSG(std::filesystem::is_directory(kRoot), "run the tests in the root of the project");
  std::vector<WebhookFile> files;
  for (const auto& [folder, channel] : {std::pair("whatsapp", mesh::bus::v1::CHANNEL_WHATSAPP),
                                        std::pair("messenger", mesh::bus::v1::CHANNEL_MESSENGER),
                                        std::pair("instagram", mesh::bus::v1::CHANNEL_INSTAGRAM)}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(kRoot) / folder)) {
      const std::string path = entry.path().string();
      if (path.ends_with(".expected.json")) continue;
      std::string expected = ReadFile(path.substr(0, path.size() - 5) + ".expected.json");
      if (expected.ends_with('\n')) expected.pop_back();
      files.push_back({channel, path, ReadFile(path), std::move(expected)});
    }
  }
  std::ranges::sort(files, {}, &WebhookFile::path);
  return files;
}

}  // namespace

const std::vector<WebhookFile>& WebhookFiles() {
  static const std::vector<WebhookFile> files = Load();
  return files;
}

const std::string& WebhookBody(std::string_view name) {
  const std::string path = std::string(kRoot) + "/" + std::string(name) + ".json";
  const auto found = std::ranges::find(WebhookFiles(), path, &WebhookFile::path);
  CHECK_MSG(found != WebhookFiles().end(), path);
  return found->body;
}

}  // namespace channel
