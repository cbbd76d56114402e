#include "libs/app/commands.h"
#include "services/meshctl/command.h"

namespace {

constexpr app::Command kCommands[] = {
    {"send", "post a signed test webhook and wait for the reply", meshctl::RunSend},
    {"decode", "print what a webhook body means", meshctl::RunDecode},
    {"account", "say what is wrong with a configured account", meshctl::RunAccount},
    {"lag", "where each consumer group stands", meshctl::RunLag},
    {"dead-letter", "list or requeue what was given up", meshctl::RunDeadLetter},
    {"parked", "list replies that were parked; send those in doubt again", meshctl::RunParked},
    {"session", "show or forget a conversation; rebuild all from the log", meshctl::RunSession},
    {"trace", "follow one message through topics, ledger and history", meshctl::RunTrace},
    {"replay", "what became of a conversation's messages; put back what was lost", meshctl::RunReplay},
};

}  // namespace

int main(int argc, char** argv) {
  return app::RunCommand(
      "meshctl", "the command line of operators and developers.", kCommands,
      "meshctl COMMAND --help shows options and examples. With a mesh started by `make run`, addresses are read\n"
      "from .run/meshctl.yaml when called from the project's root.",
      argc, argv);
}
