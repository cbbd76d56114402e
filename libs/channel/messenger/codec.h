#pragma once

#include "libs/channel/codec.h"

namespace channel::messenger {

const Codec& GetCodec();  // Messenger Platform; lives for the whole process

}  // namespace channel::messenger
