// loadtest: load on a mesh of this machine, and what comes of it.
#include "libs/app/commands.h"
#include "loadtest/webhook/command.h"

namespace {

constexpr app::Command kCommands[] = {
    {"webhook", "signed webhooks against the gateway: how many are acknowledged, and how soon", loadtest::RunWebhook},
};

}  // namespace

int main(int argc, char** argv) {
  return app::RunCommand("loadtest", "load on a mesh of this machine.", kCommands,
                         "loadtest COMMAND --help shows options and examples.", argc, argv);
}
