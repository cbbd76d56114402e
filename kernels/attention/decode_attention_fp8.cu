#include "kernels/attention/decode_kernel.cuh"

namespace kernels::gpu {

LaunchResult LaunchDecodeFp8(const DecodeAttention& attention, const DecodeArguments& a, Stream stream) {
  return LaunchForHeadDim<KvFormat::kFp8>(attention, a, stream);
}

}  // namespace kernels::gpu
