#include "libs/redis/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/secret.h"
#include "libs/redis/internal/hiredis_compat.h"

namespace redis {
namespace {

struct ContextFree {
  void operator()(redisContext* context) const { redisFree(context); }
};
using ContextPtr = std::unique_ptr<redisContext, ContextFree>;

struct ReplyFree {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

// Answers of ours are at most array in array in array; a deeper one cannot come from the scripts and is not followed.
constexpr int kReplyDepthMax = 8;

timeval ToTimeval(base::Duration duration) {
  // Zero would mean "wait forever" to the kernel.
  const auto micros =
      std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
  return timeval{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
}

base::Duration TimeLeft(base::MonotonicTime deadline) { return deadline - base::Clock::Real().Now(); }

Reply ToReply(const redisReply& from, int depth) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kString;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kArray;
      if (depth >= kReplyDepthMax) break;
      reply.elements.reserve(from.elements);
      for (std::size_t i = 0; i < from.elements; ++i) reply.elements.push_back(ToReply(*from.element[i], depth + 1));
      break;
    default:  // REDIS_REPLY_NIL, and the RESP3 types, which are never asked for
      break;
  }
  return reply;
}

}  // namespace

struct Connection::Rep {
  ContextPtr context;
  std::string address;  // host:port, for messages
  base::Duration command_timeout{};
};

Connection::Connection(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Connection::~Connection() = default;

absl::StatusOr<std::unique_ptr<Connection>> Connection::Connect(const RedisOptions& options,
                                                                std::string_view client_name,
                                                                base::MonotonicTime deadline) {
  auto rep = std::make_unique<Rep>();
  rep->address = base::StrCat(options.host, ":", options.port);
  rep->command_timeout = std::chrono::milliseconds(options.command_timeout_ms);

  const base::Duration timeout =
      std::min<base::Duration>(std::chrono::milliseconds(options.connect_timeout_ms), TimeLeft(deadline));
  if (timeout <= base::Duration::zero()) {
    return absl::DeadlineExceededError(base::StrCat("no time left to connect to Redis at ", rep->address));
  }
  rep->context.reset(redisConnectWithTimeout(options.host.c_str(), options.port, ToTimeval(timeout)));
  if (rep->context == nullptr) return absl::UnavailableError("out of memory for a Redis connection");
  if (rep->context->err != 0) {
    return absl::UnavailableError(
        base::StrCat("cannot connect to Redis at ", rep->address, ": ", rep->context->errstr));
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(rep)));

  if (!options.password_file.empty()) {
    // Read at each connect, so that a rotated password needs no restart.
    const absl::StatusOr<crypto::Secret> password = crypto::Secret::FromFile(options.password_file);
    if (!password.ok()) {
      return absl::UnavailableError(base::StrCat("--redis-password-file: ", password.status().message()));
    }
    Command auth{"AUTH"};
    if (!options.username.empty()) auth.push_back(options.username);
    auth.push_back(password->Reveal());
    const absl::StatusOr<Reply> authenticated = connection->Run(auth, deadline);
    if (!authenticated.ok()) {
      return absl::UnavailableError(base::StrCat(authenticated.status().message(), " (Redis at ",
                                                 connection->rep_->address,
                                                 "; check --redis-username and --redis-password-file)"));
    }
  }
  // A name in CLIENT LIST helps operators; a server or ACL that does not know the command is no reason to fail.
  const absl::StatusOr<Reply> named = connection->Run({"CLIENT", "SETNAME", client_name}, deadline);
  if (!named.ok() && !connection->open()) return named.status();
  return connection;
}

bool Connection::open() const { return rep_->context != nullptr; }

bool Connection::UsableAfterIdle() const {
  if (!open()) return false;
  char byte = 0;
  const ssize_t got = recv(rep_->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // Nothing to read is the only good state: 0 is a close, and bytes nobody asked for mean the streams are out of step.
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

absl::Status Connection::Fail(std::string_view doing, base::MonotonicTime deadline) {
  const int error = rep_->context->err;
  const bool timed_out = error == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);
  const std::string cause = timed_out ? "no answer in time (--redis-command-timeout-ms)" : rep_->context->errstr;
  rep_->context.reset();
  const std::string message = base::StrCat(doing, " Redis at ", rep_->address, ": ", cause);
  if (timed_out && TimeLeft(deadline) <= base::Duration::zero()) return absl::DeadlineExceededError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<Reply> Connection::Run(const Command& command, base::MonotonicTime deadline) {
  absl::StatusOr<std::vector<Reply>> replies = RunPipeline({&command, 1}, deadline);
  if (!replies.ok()) return replies.status();
  Reply reply = std::move(replies->front());
  if (absl::Status status = reply.ErrorStatus(); !status.ok()) return status;
  return reply;
}

absl::StatusOr<std::vector<Reply>> Connection::RunPipeline(std::span<const Command> commands,
                                                           base::MonotonicTime deadline) {
  CHECK(!commands.empty() && commands.size() <= kPipelineCommandsMax);
  if (!open()) return absl::UnavailableError(base::StrCat("connection to Redis at ", rep_->address, " is closed"));
  const base::MonotonicTime until = std::min(deadline, base::Clock::Real().Now() + rep_->command_timeout);
  if (TimeLeft(until) <= base::Duration::zero()) {
    return absl::DeadlineExceededError(base::StrCat("no time left to ask Redis at ", rep_->address));
  }
  redisContext* const context = rep_->context.get();

  std::vector<const char*> data;
  std::vector<std::size_t> sizes;
  for (const Command& command : commands) {
    data.clear();
    sizes.clear();
    for (const std::string_view argument : command) {
      data.push_back(argument.data());
      sizes.push_back(argument.size());
    }
    if (redisAppendCommandArgv(context, static_cast<int>(data.size()), data.data(), sizes.data()) != REDIS_OK) {
      return Fail("writing to", deadline);
    }
  }

  // redisGetReply would apply the socket timeout to each read; this loop holds one deadline over all of them.
  const auto arm = [&]() -> bool {
    const base::Duration left = TimeLeft(until);
    if (left <= base::Duration::zero()) {
      context->err = REDIS_ERR_IO;
      errno = EAGAIN;
      return false;
    }
    return redisSetTimeout(context, ToTimeval(left)) == REDIS_OK;
  };
  for (int written = 0; written == 0;) {
    if (!arm() || redisBufferWrite(context, &written) != REDIS_OK) return Fail("writing to", deadline);
  }

  std::vector<Reply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    void* raw = nullptr;
    if (redisGetReplyFromReader(context, &raw) != REDIS_OK) return Fail("reading from", deadline);
    if (raw != nullptr) {
      const std::unique_ptr<redisReply, ReplyFree> owned(static_cast<redisReply*>(raw));
      replies.push_back(ToReply(*owned, 0));
    } else if (!arm() || redisBufferRead(context) != REDIS_OK) {
      return Fail("reading from", deadline);
    }
  }
  return replies;
}

}  // namespace redis
