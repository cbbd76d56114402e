#include "libs/graph/permissions.h"

#include "libs/account/login.h"
#include "libs/base/str_cat.h"

namespace graph {
namespace {

constexpr std::string_view kNoAnswers = "answers are refused";
constexpr std::string_view kNoSubscription = "its webhooks can be neither looked after nor switched on again";

constexpr Permission kWhatsApp[] = {
    {"whatsapp_business_messaging", kNoAnswers, true},
    {"whatsapp_business_management", "quality, limits and the webhook subscription stay unknown"}};
constexpr Permission kMessenger[] = {{"pages_messaging", kNoAnswers, true}, {"pages_manage_metadata", kNoSubscription}};
constexpr Permission kInstagramByPage[] = {{"instagram_basic", "the Instagram account cannot be reached", true},
                                           {"instagram_manage_messages", kNoAnswers, true},
                                           {"pages_manage_metadata", kNoSubscription}};
constexpr Permission kInstagramLogin[] = {{"instagram_business_basic", "the account cannot be reached", true},
                                          {"instagram_business_manage_messages", kNoAnswers, true}};

}  // namespace

std::span<const Permission> Permissions(const account::Account& account) {
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) return kWhatsApp;
  if (account.channel == mesh::bus::v1::CHANNEL_MESSENGER) return kMessenger;
  if (account::IsInstagramLogin(account)) return kInstagramLogin;
  return account::IsInstagramByPage(account) ? std::span<const Permission>(kInstagramByPage)
                                             : std::span<const Permission>();
}

std::string PermissionNames(const account::Account& account) {
  std::string names;
  for (const Permission& permission : Permissions(account)) {
    names += base::StrCat(names.empty() ? "" : ", ", permission.name);
  }
  return names;
}

}  // namespace graph
