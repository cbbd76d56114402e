#include "services/exporter/nvml.h"

#include <dlfcn.h>

#include <algorithm>

namespace exporter {
namespace {

using NvmlReturn = int;  // nvmlReturn_t; 0 is NVML_SUCCESS
struct NvmlDeviceStruct;
using NvmlDevice = NvmlDeviceStruct*;
struct NvmlUtilization {  // nvmlUtilization_t, in percent
  unsigned gpu;
  unsigned memory;
};
struct NvmlMemory {  // nvmlMemory_t (version 1), in bytes
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

struct Nvml::Functions {
  NvmlReturn (*init)() = nullptr;
  NvmlReturn (*shutdown)() = nullptr;
  NvmlReturn (*count)(unsigned*) = nullptr;
  NvmlReturn (*handle)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*utilization)(NvmlDevice, NvmlUtilization*) = nullptr;
  NvmlReturn (*memory)(NvmlDevice, NvmlMemory*) = nullptr;
};

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::Open(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return absl::NotFoundError(library + " cannot be opened: no GPU figures are exported");
  auto functions = std::make_unique<Functions>();
  const bool complete = Resolve(handle, "nvmlInit_v2", &functions->init) &&
                        Resolve(handle, "nvmlShutdown", &functions->shutdown) &&
                        Resolve(handle, "nvmlDeviceGetCount_v2", &functions->count) &&
                        Resolve(handle, "nvmlDeviceGetHandleByIndex_v2", &functions->handle) &&
                        Resolve(handle, "nvmlDeviceGetUtilizationRates", &functions->utilization) &&
                        Resolve(handle, "nvmlDeviceGetMemoryInfo", &functions->memory);
  if (!complete || functions->init() != 0) {
    dlclose(handle);
    return absl::NotFoundError(library + " is not NVML or finds no driver: no GPU figures are exported");
  }
  return std::unique_ptr<Nvml>(new Nvml(handle, std::move(functions)));
}

Nvml::Nvml(void* library, std::unique_ptr<Functions> functions) : library_(library), functions_(std::move(functions)) {}

Nvml::~Nvml() {
  functions_->shutdown();
  dlclose(library_);
}

absl::StatusOr<std::vector<GpuFigures>> Nvml::Read() {
  unsigned count = 0;
  if (functions_->count(&count) != 0) return absl::UnavailableError("NVML does not count the devices");
  std::vector<GpuFigures> gpus;
  for (unsigned index = 0; index < std::min(count, kGpusMax); ++index) {
    NvmlDevice device = nullptr;
    NvmlUtilization utilization{};
    NvmlMemory memory{};
    if (functions_->handle(index, &device) != 0 || functions_->utilization(device, &utilization) != 0 ||
        functions_->memory(device, &memory) != 0) {
      return absl::UnavailableError("GPU " + std::to_string(index) + " does not answer NVML");
    }
    gpus.push_back({static_cast<double>(utilization.gpu) / 100, static_cast<std::int64_t>(memory.used),
                    static_cast<std::int64_t>(memory.total)});
  }
  return gpus;
}

}  // namespace exporter
