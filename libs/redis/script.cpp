#include "libs/redis/script.h"

#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace redis {
namespace {

// Missing scripts are loaded at most this often in one RunScripts: each round loads one, and somebody may flush
// meanwhile.
constexpr int kLoadsMax = 16;

Command MakeCommand(const ScriptCall& call, std::string_view sha, std::string_view keys_count) {
  Command command{"EVALSHA", sha, keys_count};
  command.insert(command.end(), call.keys.begin(), call.keys.end());
  command.insert(command.end(), call.arguments.begin(), call.arguments.end());
  return command;
}

}  // namespace

absl::StatusOr<std::string> Script::Load(Pool::Lease& lease, base::MonotonicTime deadline) const {
  absl::StatusOr<Reply> loaded = lease.Run({"SCRIPT", "LOAD", source_}, deadline);
  if (!loaded.ok()) {
    return absl::Status(loaded.status().code(), base::StrCat("script ", name_, ": ", loaded.status().message()));
  }
  std::lock_guard lock(mutex_);
  sha_ = loaded->text;
  return sha_;
}

absl::StatusOr<std::vector<Reply>> RunScripts(Pool::Lease& lease, std::span<const ScriptCall> calls,
                                              base::MonotonicTime deadline) {
  CHECK(!calls.empty() && calls.size() <= kPipelineCommandsMax);
  std::vector<std::string> shas;
  std::vector<std::string> key_counts;
  for (const ScriptCall& call : calls) {
    std::string sha;
    {
      std::lock_guard lock(call.script->mutex_);
      sha = call.script->sha_;
    }
    if (sha.empty()) {
      absl::StatusOr<std::string> loaded = call.script->Load(lease, deadline);
      if (!loaded.ok()) return loaded.status();
      sha = *std::move(loaded);
    }
    shas.push_back(std::move(sha));
    key_counts.push_back(std::to_string(call.keys.size()));
  }

  std::vector<Reply> results;
  for (int loads = 0; loads <= kLoadsMax; ++loads) {
    std::vector<Command> commands;
    for (std::size_t i = results.size(); i < calls.size(); ++i) {
      commands.push_back(MakeCommand(calls[i], shas[i], key_counts[i]));
    }
    absl::StatusOr<std::vector<Reply>> replies = lease.RunPipeline(commands, deadline);
    if (!replies.ok()) return replies.status();

    bool missing = false;
    for (Reply& reply : *replies) {
      const ScriptCall& call = calls[results.size()];
      const absl::Status status = reply.ErrorStatus();
      if (absl::IsNotFound(status)) {
        // The SHA of a text never changes, so `shas` stays right.
        if (absl::StatusOr<std::string> loaded = call.script->Load(lease, deadline); !loaded.ok()) {
          return loaded.status();
        }
        missing = true;
        break;
      }
      if (!status.ok()) {
        return absl::Status(status.code(), base::StrCat("script ", call.script->name(), ": ", status.message()));
      }
      results.push_back(std::move(reply));
    }
    if (!missing) return results;
  }
  return absl::UnavailableError("Redis forgets scripts faster than they can be loaded (SCRIPT FLUSH in a loop?)");
}

}  // namespace redis
