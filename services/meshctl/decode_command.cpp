#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
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

absl::StatusOr<std::string> ReadInput(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (file != "-" && !stream) return absl::NotFoundError(absl::StrCat("cannot read ", file));
  std::istream& input = file == "-" ? std::cin : stream;
  return std::string(std::istreambuf_iterator<char>(input), {});
}

}  // namespace

int RunDecode(int argc, const char* const* argv) {
  std::string channel;
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
    std::fprintf(stderr, "meshctl: decode needs --channel and at least one FILE; see meshctl decode --help\n");
    return 2;
  }
  int code = 0;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> body = ReadInput(file);
    if (!body.ok()) {
      code = Fail("decode", body.status());
      continue;
    }
    std::printf("%s\n", channel::DecodeLine(file, codec->Decode(*body)).c_str());
  }
  return code;
}

}  // namespace meshctl
