#include "services/worker/device_loss.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "libs/engine/make_engine.h"
#include "tests/libs/engine/device_chat_model.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/emulator.h"
#endif

namespace worker {
namespace {

TEST(DeviceLossTest, LineAndExitCodeSayWhatHappened) {
  EXPECT_EXIT(EndWithoutDevice(absl::InternalError("the card is gone")), testing::ExitedWithCode(kExitDeviceLost),
              "device_lost.*the card is gone");
}

#if defined(GPU_EMULATOR)
// A device that fails in the middle of an answer: the process must be gone before any turn hears of it.
void LoseDeviceInAnAnswer() {
  engine::EngineOptions options;
  options.device = "emulator";
  options.on_device_lost = EndWithoutDevice;
  const auto engine = [&] {
    const engine::TemporaryFile file(engine::DeviceChatModel().Bytes());  // removed here: nobody cleans up after _exit
    options.model_path = file.path();
    return engine::MakeEngine(options);
  }();
  if (!engine.ok()) _exit(1);
  kernels::gpu::emulator::LoseDeviceAfter(100);
  for (int i = 0; i < 3; ++i) {
    static_cast<void>((*engine)->Submit(engine::Ask("hello", 200), [](auto) { _exit(2); }));
  }
  sleep(60);
  _exit(3);
}

TEST(DeviceLossTest, ProcessEndsBeforeAnyTurnIsToldThatItFailed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(LoseDeviceInAnAnswer(), testing::ExitedWithCode(kExitDeviceLost), "device_lost");
}
#endif

}  // namespace
}  // namespace worker
