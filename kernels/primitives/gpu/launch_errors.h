#pragma once

namespace kernels::gpu {

// Why CUDA does not launch a kernel, by its name for the error. None of these is the end of the device: nothing was
// enqueued, and the next launch may go well.

// What these mean of a launch, and there alone (ResultOfLaunch in device.h); the emulator says the first two as well.
inline constexpr char kInvalidConfiguration[] =
    "cudaErrorInvalidConfiguration: a grid or a block of this size can't be launched";
inline constexpr char kInvalidValue[] =
    "cudaErrorInvalidValue: probably more shared memory than a block of this card may have";
inline constexpr char kOutOfResources[] =
    "cudaErrorLaunchOutOfResources: the kernel takes more registers or threads than a block of this card may have";

// What these mean of any call that names a kernel.
inline constexpr char kNoKernelImage[] =
    "cudaErrorNoKernelImageForDevice: this build has no code for the card's compute capability (MESH_CUDA_ARCHS)";
inline constexpr char kNoSuchFunction[] =
    "cudaErrorInvalidDeviceFunction: this build's code for the card's compute capability lacks the kernel "
    "(MESH_CUDA_ARCHS)";
inline constexpr char kPtxTooNew[] =
    "cudaErrorUnsupportedPtxVersion: the NVIDIA driver is too old to compile this build's code for the card; update it";

}  // namespace kernels::gpu
