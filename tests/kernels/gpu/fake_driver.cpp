// A libcuda.so.1 that knows its version, what the first call says, and nothing else: what a machine with an old driver,
// or with a driver and no card, looks like to the CUDA runtime. driver_messages_test.py puts it before the real one.
#include <cstdlib>
#include <string_view>

namespace {

int Number(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

int Uninitialised() { return 3; }  // CUDA_ERROR_NOT_INITIALIZED

}  // namespace

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = Number("FAKE_DRIVER_VERSION", 13000);
  return 0;
}

int cuInit(unsigned /*flags*/) { return Number("FAKE_DRIVER_INIT", 0); }

int cuGetProcAddress_v2(const char* symbol, void** function, int /*version*/, unsigned long long /*flags*/,
                        int* status) {
  const std::string_view name = symbol;
  *function = name == "cuDriverGetVersion" ? reinterpret_cast<void*>(&cuDriverGetVersion)
              : name == "cuInit"           ? reinterpret_cast<void*>(&cuInit)
              : name == "cuGetProcAddress" ? reinterpret_cast<void*>(&cuGetProcAddress_v2)
                                           : reinterpret_cast<void*>(&Uninitialised);
  if (status != nullptr) *status = 0;
  return 0;
}

int cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}

}  // extern "C"
