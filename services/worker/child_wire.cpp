#include "services/worker/child_wire.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

namespace worker {
namespace {

constexpr std::uint32_t kFrameBytesMax = 64u << 20;
constexpr int kLengthBytes = 4;

bool ReceiveAll(int socket, char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, data, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::int64_t ToUs(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

bool SendFrame(int socket, const google::protobuf::MessageLite& message) {
  const std::string body = message.SerializeAsString();
  if (body.size() > kFrameBytesMax) return false;
  std::string frame;
  for (int i = 0; i < kLengthBytes; ++i) frame.push_back(static_cast<char>(body.size() >> (8 * i) & 0xff));
  frame += body;
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t done = ::send(socket, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    sent += static_cast<std::size_t>(done);
  }
  return true;
}

bool ReceiveFrame(int socket, google::protobuf::MessageLite* message) {
  char length[kLengthBytes];
  if (!ReceiveAll(socket, length, sizeof(length))) return false;
  std::uint32_t size = 0;
  for (int i = 0; i < kLengthBytes; ++i)
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(length[i])) << (8 * i);
  if (size > kFrameBytesMax) return false;
  std::string body(size, '\0');
  return ReceiveAll(socket, body.data(), body.size()) && message->ParseFromString(body);
}

mesh::inference::v1::ChildRequest ToWire(const engine::GenerationRequest& request, base::MonotonicTime now) {
  mesh::inference::v1::ChildRequest wire;
  wire.set_tenant(request.tenant);
  for (const engine::Message& message : request.messages) {
    auto* to = wire.add_messages();
    to->set_role(static_cast<std::int32_t>(message.role));
    to->set_content(message.content);
  }
  wire.set_tokens_max(request.tokens_max);
  wire.set_temperature(request.sampling.temperature);
  wire.set_top_k(request.sampling.top_k);
  wire.set_top_p(request.sampling.top_p);
  wire.set_min_p(request.sampling.min_p);
  wire.set_repetition_penalty(request.sampling.repetition_penalty);
  wire.set_seed(request.sampling.seed);
  for (const std::string& stop : request.stop) wire.add_stop(stop);
  wire.set_mode(static_cast<std::int32_t>(request.mode));
  wire.set_branches(request.branches);
  // A deadline that has passed stays one: 0 would be none.
  if (request.deadline != base::MonotonicTime{}) {
    wire.set_time_left_ms(std::max<std::int64_t>(1, base::ToMs(request.deadline - now)));
  }
  return wire;
}

engine::GenerationRequest FromWire(const mesh::inference::v1::ChildRequest& wire, base::MonotonicTime now) {
  engine::GenerationRequest request;
  request.tenant = wire.tenant();
  for (const auto& message : wire.messages()) {
    request.messages.push_back({.role = static_cast<engine::Role>(message.role()), .content = message.content()});
  }
  request.tokens_max = wire.tokens_max();
  request.sampling = {.temperature = wire.temperature(),
                      .top_k = wire.top_k(),
                      .top_p = wire.top_p(),
                      .min_p = wire.min_p(),
                      .repetition_penalty = wire.repetition_penalty(),
                      .seed = wire.seed()};
  request.stop.assign(wire.stop().begin(), wire.stop().end());
  request.mode = static_cast<engine::Mode>(wire.mode());
  request.branches = wire.branches();
  if (wire.time_left_ms() > 0) request.deadline = now + std::chrono::milliseconds(wire.time_left_ms());
  return request;
}

mesh::inference::v1::ChildAnswer ToWire(const absl::StatusOr<engine::GenerationResult>& result) {
  mesh::inference::v1::ChildAnswer wire;
  if (!result.ok()) {
    wire.set_status_code(static_cast<std::int32_t>(result.status().code()));
    wire.set_status_message(std::string(result.status().message()));
    return wire;
  }
  wire.set_text(result->text);
  wire.set_finish_reason(static_cast<std::int32_t>(result->finish_reason));
  wire.set_prompt_tokens(result->prompt_tokens);
  wire.set_cached_tokens(result->cached_tokens);
  wire.set_completion_tokens(result->completion_tokens);
  wire.set_queue_us(ToUs(result->queue_time));
  wire.set_ttft_us(ToUs(result->ttft));
  return wire;
}

absl::StatusOr<engine::GenerationResult> FromWire(const mesh::inference::v1::ChildAnswer& wire) {
  if (wire.status_code() != 0) {
    return absl::Status(static_cast<absl::StatusCode>(wire.status_code()), wire.status_message());
  }
  engine::GenerationResult result;
  result.text = wire.text();
  result.finish_reason = static_cast<engine::FinishReason>(wire.finish_reason());
  result.prompt_tokens = wire.prompt_tokens();
  result.cached_tokens = wire.cached_tokens();
  result.completion_tokens = wire.completion_tokens();
  result.queue_time = std::chrono::microseconds(wire.queue_us());
  result.ttft = std::chrono::microseconds(wire.ttft_us());
  return result;
}

}  // namespace worker
