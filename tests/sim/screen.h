#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/channel/codec.h"
#include "libs/http/client.h"
#include "tests/fakes/small_graph.h"

namespace sim {

class World;
class Process;

// The Graph API and the user's screen behind it. What was shown stays shown, whether or not anybody was told.
class Screen {
 public:
  struct Message {
    int turn = -1;
    bool notice = false;
    int part = 0;
    std::string user;
    std::string text;
    std::string reply_id_hex;
    std::string message_id;
    int partition = 0;
    const Process* by = nullptr;
    std::int64_t status_offset = -1;  // of its status in `statuses`
    // An earlier copy can be excused: this one is the one resend of a decided doubt, and what would have told of the
    // earlier one still waited somewhere. Without an earlier copy: of no interest.
    bool resend_while_evidence_waited = false;
  };

  explicit Screen(World* world) : world_(world) {}

  // One POST whose bytes leave now; `answer` comes in `caller`.
  void Post(Process& caller, const channel::OutboundRequest& request, std::function<void(http::ClientResult)> answer);

  const std::vector<Message>& shown() const { return shown_; }
  void NoteStatus(std::size_t shown, std::int64_t offset);  // the first counts

 private:
  fakes::GraphBehaviour Choose();
  // Shows it after `transit`; the text of `message_id` is there then.
  void ShowLater(const Process& by, const channel::OutboundRequest& request, base::Duration transit,
                 std::shared_ptr<std::string> message_id);
  void Show(const Process& by, const std::string& body, std::string* message_id);
  bool ResendWhileEvidenceWaited(const Message& message) const;

  World* const world_;
  std::vector<Message> shown_;
};

}  // namespace sim
