#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account.h"
#include "libs/graph/question.h"

namespace graph {

// A permission of a token, and for whom it was given.
struct Grant {
  std::string scope;
  // Ids of the WABAs, pages or Instagram accounts (verify); empty: whomever the token stands for.
  std::vector<std::string> targets;
};

// What Meta knows of an access token (channels.md 4.1).
struct TokenFacts {
  bool is_valid = false;
  std::string app_id;                         // the app it was made for; empty when not said
  std::int64_t expires_at_s = 0;              // since the epoch; 0: never
  std::int64_t data_access_expires_at_s = 0;  // from then on user data is withheld; 0: never, or not said
  // `scopes`, with the targets of `granular_scopes`; nullopt: Meta says nothing of permissions.
  std::optional<std::vector<Grant>> grants;

  const Grant* Find(std::string_view scope) const;  // nullptr: not granted, or not said
};

// GET /debug_token about the account's token. Meta documents it for the app's own token, which needs app_id in the
// accounts file; without it, or where the app is refused (a token of another app), the token asks about itself, which
// Meta need not allow every kind of token (verify). nullopt: Instagram Login has no such question. `of_app`, where
// given, says that Meta knows none of the account's app secrets, or not its app_id.
std::optional<Answer> AskForToken(const account::Account& account, const SendAndWait& send,
                                  std::optional<Refusal>* of_app = nullptr);

std::optional<TokenFacts> ReadTokenFacts(std::string_view body);  // nullopt when it is no such answer

}  // namespace graph
