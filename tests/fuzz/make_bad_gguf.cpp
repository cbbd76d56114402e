// Writes the bad model files of the tests into a folder, to be fed to other tools: make_bad_gguf FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/libs/engine/bad_model_files.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_bad_gguf FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const auto files = engine::BadModelFiles();
  for (const engine::BadModelFile& bad : files) {
    std::ofstream out(folder / (bad.name + ".gguf"), std::ios::binary);
    if (!out.write(bad.bytes.data(), static_cast<std::streamsize>(bad.bytes.size()))) {
      std::fprintf(stderr, "cannot write %s into %s\n", bad.name.c_str(), argv[1]);
      return 1;
    }
  }
  std::printf("%zu files\n", files.size());
  return 0;
}
