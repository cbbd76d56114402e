#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/internal/markup.h"
#include "libs/channel/internal/split_text.h"
#include "proto/bus/v1/bus.pb.h"

// What the channels' Fit functions have in common. Pure; texts may have ill-formed UTF-8, results have none.
namespace channel {

using Parts = std::vector<mesh::bus::v1::OutboundPart>;

// Markdown as text parts of the channel, at most kTextPartsMax; none when there is nothing to say.
void AddText(std::string_view markdown, Markup markup, TextLimit limit, Parts& parts);

// A caption that the file itself cannot carry is said before it; then the file. The other way round the text would
// overtake the file (channels.md 3.1).
void AddMediaBehindCaption(mesh::bus::v1::OutboundMedia media, Markup markup, TextLimit limit, Parts& parts);

// Of a file that the channel cannot carry: its caption and its address.
void AddMediaAsText(const mesh::bus::v1::OutboundMedia& media, Markup markup, TextLimit limit, Parts& parts);

// A question with its answers as a numbered list, for whom there is nothing to press.
void AddChoicesAsText(const mesh::bus::v1::OutboundChoices& choices, Markup markup, TextLimit limit, Parts& parts);

// What may stand behind one question on a channel.
struct ChoiceLimits {
  TextLimit question;
  std::size_t choices_max = 0;
  std::size_t title_max = 0;        // code points
  std::size_t description_max = 0;  // code points; 0: there is none. It takes a title that had to be cut
  std::size_t id_bytes_max = 0;
};

// The choices with titles of one line within the limits; ids that are missing, alike or too long become the choices'
// numbers. A question that is too long is said in front (`parts`), and its end stays. nullopt where they cannot be
// pressed: too many, none, no question, or titles that are empty, alike once cut, or cut without standing whole in
// their description.
std::optional<mesh::bus::v1::OutboundChoices> FitChoices(const mesh::bus::v1::OutboundChoices& choices, Markup markup,
                                                         const ChoiceLimits& limits, Parts& parts);

// What an app shows of a title or a name: one line without marks.
std::string OneLine(std::string_view text);

}  // namespace channel
