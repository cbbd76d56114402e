#include "libs/rpc/health.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <memory>
#include <string_view>

#include "libs/base/str_cat.h"
#include "libs/rpc/call.h"
#include "libs/rpc/channel.h"

namespace rpc {
namespace {

// HealthCheckResponse is one enum in field 1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), so the
// two messages are written out here: an empty request, and tag 0x08 with the value 1 for SERVING.
constexpr std::string_view kServing("\x08\x01", 2);

}  // namespace

absl::Status CheckHealth(const std::string& target, base::MonotonicTime deadline) {
  const std::shared_ptr<grpc::Channel> channel = MakeChannel(target);
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  PrepareCall(context, deadline, telemetry::TraceContext{});
  context.set_wait_for_ready(true);
  grpc::ByteBuffer request;
  const grpc::Slice empty("", 0);
  request = grpc::ByteBuffer(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> ended;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&ended](grpc::Status status) { ended.set_value(std::move(status)); });
  const grpc::Status status = ended.get_future().get();
  if (!status.ok()) return absl::UnavailableError(base::StrCat("health of ", target, ": ", status.error_message()));
  grpc::Slice slice;
  if (!response.DumpToSingleSlice(&slice).ok() ||
      std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()) != kServing) {
    return absl::UnavailableError(base::StrCat(target, " says that it is not serving"));
  }
  return absl::OkStatus();
}

}  // namespace rpc
