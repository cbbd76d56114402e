#include <cstdio>
#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/rebuild.h"

namespace meshctl {

int RunSessionRebuild(int argc, const char* const* argv) {
  Connections connections;
  RebuildOptions options;
  std::string from;
  config::OptionTable table("meshctl session rebuild",
                            "Brings the conversations back from the log after Redis was lost or fell behind: texts, "
                            "outcomes, deletions, and which turns are finished, so that a retried webhook is not "
                            "answered again. Safe beside running services; may be repeated at any time.");
  table.Add("from", &from,
            {.doc = "Where in the log to begin: `beginning` (the topics keep 8 days), a time ago such as 90m, 36h or "
                    "8d, or a time such as 2026-11-25T08:00:00Z. Begin before the outage: a reply is only brought "
                    "back together with its turn."});
  table.Add("memory-mb", &options.memory_mb,
            {.doc = "What the turns that wait for their replies, and the replies that wait for their outcomes, may "
                    "take.",
             .unit = "MiB",
             .min = 16,
             .max = 65536});
  table.Add("calls-max", &options.calls_max,
            {.doc = "Calls of the session service at once. Fewer leave it more room for the mesh's own.",
             .unit = "calls",
             .min = 1,
             .max = 4096});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl session rebuild --from=beginning", "after Redis was lost");
  table.AddExample("meshctl session rebuild --from=2h", "Redis was restored from a backup of two hours ago");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  const std::optional<std::int64_t> from_ms = ParseFrom(from, base::Clock::Real().WallMs());
  if (!from_ms) {
    std::fprintf(stderr,
                 "meshctl: session rebuild needs --from=beginning, a time ago (36h) or a time; see meshctl session "
                 "rebuild --help\n");
    return 2;
  }
  options.from_ms = *from_ms;
  options.bus = connections.bus;
  const std::unique_ptr<session::Client> client = session::Client::Create(connections.session_target);
  RebuildResult result;
  const absl::Status status = Rebuild(options, client.get(), &result);
  std::printf("%lld turns, %lld outcomes, %lld deletions, %lld changed identities, %lld unsent, %lld controls\n",
              static_cast<long long>(result.turns), static_cast<long long>(result.outcomes),
              static_cast<long long>(result.deletions), static_cast<long long>(result.links),
              static_cast<long long>(result.unsent), static_cast<long long>(result.controls));
  if (!status.ok()) return Fail("session rebuild: not complete, run it again", status);
  if (result.refused > 0) {
    std::fprintf(stderr, "meshctl: session refused %lld of them for good; its log says why\n",
                 static_cast<long long>(result.refused));
  }
  if (result.unjoined > 0) {
    std::fprintf(stderr, "meshctl: %lld replies came too long after their turns; run it again with more --memory-mb\n",
                 static_cast<long long>(result.unjoined));
  }
  return result.refused + result.unjoined > 0 ? 1 : 0;
}

}  // namespace meshctl
