#include "libs/channel/link.h"

#include "absl/strings/ascii.h"

namespace channel {

std::string ExtensionOf(std::string_view link) {
  const std::string_view path = link.substr(0, link.find('?'));
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  const std::size_t dot = name.rfind('.');
  std::string extension(dot == std::string_view::npos ? "" : name.substr(dot + 1));
  absl::AsciiStrToLower(&extension);
  return extension;
}

}  // namespace channel
