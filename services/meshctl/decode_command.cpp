#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"
#include "libs/identity/identity.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

// One byte beyond the largest body: the codec then says too_large, however large the file is.
constexpr std::size_t kBytesMax = (4u << 20) + 1;

absl::StatusOr<std::string> ReadInput(const std::string& file) {
  std::ifstream stream;
  if (file != "-") stream.open(file, std::ios::binary);
  std::istream& input = file == "-" ? std::cin : stream;
  std::string body(kBytesMax, '\0');
  input.read(body.data(), static_cast<std::streamsize>(body.size()));
  if (input.bad() || (file != "-" && !stream.is_open())) return absl::NotFoundError(absl::StrCat("cannot read ", file));
  body.resize(static_cast<std::size_t>(input.gcount()));
  return body;
}

}  // namespace

int RunDecode(int argc, const char* const* argv) {
  std::string channel = "whatsapp";
  std::vector<std::string> files;
  config::OptionTable table("meshctl decode", "Prints what webhook bodies mean, one JSON line a file. Needs no mesh.");
  table.Add("channel", &channel, {.doc = "Whose body it is.", .choices = {"whatsapp", "messenger", "instagram"}});
  table.AllowPositionals(&files, "FILE...", "Files with a webhook's body each; - is standard input.");
  Connections unused;  // its options may stand in the YAML file that all sub-commands share
  RegisterConnections(table, &unused);
  table.AddExample("meshctl decode --channel=whatsapp body.json", "one line with all its events");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  const std::optional<mesh::bus::v1::Channel> parsed = identity::ParseChannelName(channel);
  const channel::Codec* codec = parsed ? channel::FindCodec(*parsed) : nullptr;
  if (codec == nullptr || files.empty()) {
    std::fprintf(stderr, "meshctl: decode needs at least one FILE; see meshctl decode --help\n");
    return 2;
  }
  int code = 0;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> body = ReadInput(file);
    if (!body.ok()) {
      // One line a file all the same, so that lines and files can be matched.
      std::printf("%s\n", channel::DecodeLine(file, absl::NotFoundError("unreadable_file")).c_str());
      code = Fail("decode", body.status());
      continue;
    }
    std::printf("%s\n", channel::DecodeLine(file, codec->Decode(*body)).c_str());
  }
  return code;
}

}  // namespace meshctl
