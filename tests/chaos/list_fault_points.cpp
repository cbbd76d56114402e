// Prints every fault point, a line each: name, service, where it is. The chaos harness sweeps them.
#include <cstdio>
#include <string>

#include "libs/fault/points.h"

int main() {
  for (const fault::PointSpec& point : fault::kPoints) {
    std::printf("%-24s %-8s %s\n", std::string(point.name).c_str(), std::string(point.service).c_str(),
                std::string(point.where).c_str());
  }
}
