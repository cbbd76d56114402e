#include "kernels/attention/decode_kernel.cuh"

namespace kernels::gpu {

LaunchResult LaunchDecodeBf16(const DecodeAttention& attention, const DecodeArguments& a, Stream stream) {
  return LaunchForHeadDim<KvFormat::kBf16>(attention, a, stream);
}

}  // namespace kernels::gpu
