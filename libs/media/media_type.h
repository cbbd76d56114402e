#pragma once

#include <string_view>

#include "libs/media/media_kind.h"

namespace media {

// The media type that the first bytes of a file say it has, whatever was announced; "" when they say nothing known.
// MP4 and its relatives are told apart by their brand only, so an audio file may read as video/mp4.
std::string_view SniffType(std::string_view bytes);

// Whether a file whose bytes say `sniffed` may be what was announced: of its kind, and, where the announced media type
// is one that bytes can prove, of the same family. Documents are anything that does not contradict their announcement.
//   announced : a Content-Type, with or without parameters; "" when none was told
bool TypeFits(Kind kind, std::string_view announced, std::string_view sniffed);

}  // namespace media
