#include "libs/channel/codec.h"

#include "libs/channel/instagram/codec.h"
#include "libs/channel/messenger/codec.h"
#include "libs/channel/whatsapp/codec.h"

namespace channel {

const Codec* FindCodec(mesh::bus::v1::Channel channel) {
  switch (channel) {
    case mesh::bus::v1::CHANNEL_WHATSAPP:
      return &whatsapp::GetCodec();
    case mesh::bus::v1::CHANNEL_MESSENGER:
      return &messenger::GetCodec();
    case mesh::bus::v1::CHANNEL_INSTAGRAM:
      return &instagram::GetCodec();
    default:
      return nullptr;
  }
}

}  // namespace channel
