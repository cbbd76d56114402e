#include "libs/account/login.h"

#include <string>
#include <string_view>

#include "absl/strings/ascii.h"

namespace account {
namespace {

// "graph.instagram.com" of "https://Graph.Instagram.com:443/x"
std::string HostOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  std::string host(url.substr(0, url.find_first_of(":/?#")));
  absl::AsciiStrToLower(&host);
  return host;
}

bool IsInstagram(const Account& account) { return account.channel == mesh::bus::v1::CHANNEL_INSTAGRAM; }

}  // namespace

bool IsInstagramLogin(const Account& account) {
  if (!IsInstagram(account)) return false;
  if (!account.login.empty()) return account.login == "instagram";
  return HostOf(account.graph_base_url) == "graph.instagram.com";
}

bool IsInstagramByPage(const Account& account) { return IsInstagram(account) && !IsInstagramLogin(account); }

}  // namespace account
