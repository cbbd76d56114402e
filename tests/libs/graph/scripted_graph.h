#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libs/graph/question.h"

namespace graph {

inline account::Account AccountOf(mesh::bus::v1::Channel channel) {
  account::Account account;
  account.tenant = "acme";
  account.channel = channel;
  account.account_id = "1065";
  account.access_token = crypto::Secret("EAA&token");
  account.graph_base_url = "https://graph.example";
  return account;
}

// A Graph API of answers by method and path below the version, without the query; keeps what it was asked. What has no
// answer is not reachable. The last answer of a path stays.
class ScriptedGraph {
 public:
  void Answer(const std::string& request, int status, std::string body) {
    http::ClientResult result;
    result.ok = true;
    result.response.status = status;
    result.response.body = std::move(body);
    answers_[request].push_back(std::move(result));
  }
  void Refuse(const std::string& request, int code, int subcode = 0) {
    Answer(request, 400,
           R"({"error":{"message":"refused","type":"OAuthException","code":)" + std::to_string(code) +
               R"(,"error_subcode":)" + std::to_string(subcode) + "}}");
  }
  void Forget(const std::string& request) { answers_.erase(request); }

  SendAndWait send() {
    return [this](http::ClientRequest request) {
      requests_.push_back(request);
      const std::size_t version = request.url.find("/v25.0/");
      const std::string path = request.url.substr(version + 7, request.url.find('?') - version - 7);
      const auto found = answers_.find(request.method + " " + path);
      if (found == answers_.end()) {
        http::ClientResult result;
        result.failure.status = absl::UnavailableError("connection refused");
        return result;
      }
      http::ClientResult result = found->second.front();
      if (found->second.size() > 1) found->second.pop_front();
      return result;
    };
  }

  std::size_t CountOf(const std::string& method, const std::string& part) const {
    std::size_t count = 0;
    for (const http::ClientRequest& request : requests_) {
      count += request.method == method && request.url.find(part) != std::string::npos;
    }
    return count;
  }
  const std::vector<http::ClientRequest>& requests() const { return requests_; }

 private:
  std::map<std::string, std::deque<http::ClientResult>> answers_;
  std::vector<http::ClientRequest> requests_;
};

}  // namespace graph
