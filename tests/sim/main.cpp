// Replays one schedule with its trace, or runs many: tests/sim/README.md.
#include <iostream>

#include "tests/sim/runner.h"

int main(int argc, char** argv) { return sim::Main({argv + 1, argv + argc}, std::cout); }
