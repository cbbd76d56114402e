// The collectives over NCCL. Its library is opened when the first communicator is wanted, so that a worker with one
// card needs none of it. The few declarations are those of nccl.h 2.x, whose ABI is stable within the major version.
#include <dlfcn.h>

#include <cstring>

#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/collectives.h"

namespace kernels::gpu {
namespace {

using NcclComm = struct ncclComm*;
using NcclResult = int;  // ncclSuccess is 0
constexpr int kNcclInvalidArgument = 4, kNcclInvalidUsage = 5;
constexpr int kNcclUint8 = 1, kNcclFloat32 = 7, kNcclSum = 0;

struct Nccl {
  NcclResult (*get_unique_id)(CommunicatorId*);
  NcclResult (*comm_init_rank)(NcclComm*, int ranks, CommunicatorId, int rank);
  NcclResult (*comm_destroy)(NcclComm);
  NcclResult (*all_reduce)(const void*, void*, std::size_t count, int type, int operation, NcclComm, Stream);
  NcclResult (*all_gather)(const void*, void*, std::size_t count, int type, NcclComm, Stream);
  const char* (*error_string)(NcclResult);
};

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  void* symbol = dlsym(library, name);
  std::memcpy(&function, &symbol, sizeof(symbol));
  return symbol != nullptr;
}

// nullptr: not on this machine, or not a version that we know.
const Nccl* OpenNccl() {
  static const Nccl* const opened = []() -> const Nccl* {
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return nullptr;
    static Nccl nccl;
    const bool found =
        Find(library, "ncclGetUniqueId", nccl.get_unique_id) &&
        Find(library, "ncclCommInitRank", nccl.comm_init_rank) && Find(library, "ncclCommDestroy", nccl.comm_destroy) &&
        Find(library, "ncclAllReduce", nccl.all_reduce) && Find(library, "ncclAllGather", nccl.all_gather) &&
        Find(library, "ncclGetErrorString", nccl.error_string);
    return found ? &nccl : nullptr;
  }();
  return opened;
}

LaunchResult ResultOf(const Nccl& nccl, NcclResult result) {
  if (result == 0) return LaunchResult::Ok();
  const bool refused = result == kNcclInvalidArgument || result == kNcclInvalidUsage;
  return refused ? LaunchResult::Refused(nccl.error_string(result)) : LaunchResult::Failed(nccl.error_string(result));
}

constexpr LaunchResult kNoNccl = LaunchResult::NoDevice(
    "libnccl.so.2 is not in the loader's path: install NCCL 2 (PyPI: nvidia-nccl-cu13) and add its lib folder to "
    "LD_LIBRARY_PATH, or run with one card");

}  // namespace

class Communicator {
 public:
  NcclComm comm;
  std::int32_t ranks;
};

LaunchResult MakeCommunicatorId(CommunicatorId* id) {
  const Nccl* nccl = OpenNccl();
  return nccl == nullptr ? kNoNccl : ResultOf(*nccl, nccl->get_unique_id(id));
}

LaunchResult MakeCommunicator(const CommunicatorId& id, std::int32_t rank, std::int32_t ranks, Communicator** made) {
  GPU_REQUIRE(0 <= rank && rank < ranks && ranks <= kRanksMax);
  const Nccl* nccl = OpenNccl();
  if (nccl == nullptr) return kNoNccl;
  NcclComm comm = nullptr;
  GPU_RETURN_IF_ERROR(ResultOf(*nccl, nccl->comm_init_rank(&comm, ranks, id, rank)));
  *made = new Communicator{comm, ranks};
  return LaunchResult::Ok();
}

void DestroyCommunicator(Communicator* communicator) {
  if (communicator == nullptr) return;
  OpenNccl()->comm_destroy(communicator->comm);
  delete communicator;
}

LaunchResult AllReduceSum(Communicator* communicator, float* values, std::int64_t count, Stream stream) {
  GPU_REQUIRE(communicator != nullptr && count >= 0);
  GPU_REQUIRE(count == 0 || (values != nullptr && Aligned(values, 4)));
  const Nccl* nccl = OpenNccl();
  return ResultOf(*nccl, nccl->all_reduce(values, values, static_cast<std::size_t>(count), kNcclFloat32, kNcclSum,
                                          communicator->comm, stream));
}

LaunchResult AllGather(Communicator* communicator, const void* sent, void* received, std::int64_t bytes,
                       Stream stream) {
  GPU_REQUIRE(communicator != nullptr && bytes >= 0);
  GPU_REQUIRE(bytes == 0 || (sent != nullptr && received != nullptr));
  const Nccl* nccl = OpenNccl();
  return ResultOf(
      *nccl, nccl->all_gather(sent, received, static_cast<std::size_t>(bytes), kNcclUint8, communicator->comm, stream));
}

}  // namespace kernels::gpu
