// Runs a fuzz target without a fuzzing engine, as a regression test: every file of the corpus folders given as
// arguments, then a bounded number of mutations of them from a fixed seed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr unsigned kSeed = 20261122;
constexpr int kMutations = 3000;

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::vector<std::string> ReadCorpus(int argc, char** argv) {
  std::vector<std::string> inputs{"", "{}", std::string(1, '\0'), std::string(300, '\xff')};
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file() || entry.file_size() > 64 * 1024) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  return inputs;
}

// One to four edits: a flipped bit, a removed, repeated or inserted run.
std::string Mutate(std::string text, std::mt19937& random) {
  for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    const std::size_t run = std::min<std::size_t>(1 + random() % 16, text.size() - at);
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << (random() % 8)));
        break;
      case 1:
        text.erase(at, run);
        break;
      case 2:
        text.insert(at, text.substr(at, run));
        break;
      default:
        text.insert(at, run, static_cast<char>(random() % 256));
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> corpus = ReadCorpus(argc, argv);
  for (const std::string& input : corpus) Run(input);
  std::mt19937 random(kSeed);
  for (int i = 0; i < kMutations; ++i) Run(Mutate(corpus[random() % corpus.size()], random));
  std::printf("%zu inputs and %d mutations, seed %u\n", corpus.size(), kMutations, kSeed);
  return 0;
}
