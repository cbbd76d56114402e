#pragma once

#include "libs/channel/codec.h"

namespace channel::whatsapp {

const Codec& GetCodec();  // WhatsApp Cloud API; lives for the whole process

}  // namespace channel::whatsapp
