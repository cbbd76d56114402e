// Runs a fuzz target without a fuzzing engine, as a regression test: every file of the corpus folders given as
// arguments, then a bounded number of mutations of them and of random inputs from a fixed seed. MESH_FUZZ_SECONDS goes
// on for as long, from a seed of its own; MESH_FUZZ_SEED repeats such a run. The input that ended a process is in
// MESH_FUZZ_LAST, where that names a file.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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
  if (const char* const last = std::getenv("MESH_FUZZ_LAST"); last != nullptr)
    std::ofstream(last, std::ios::binary) << input;
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

std::string RandomInput(std::mt19937& random) {
  std::string input(random() % 128, '\0');
  for (char& byte : input) byte = static_cast<char>(random());
  return input;
}

std::string NextInput(const std::vector<std::string>& corpus, std::mt19937& random) {
  return random() % 4 == 0 ? RandomInput(random) : Mutate(corpus[random() % corpus.size()], random);
}

// For as long as MESH_FUZZ_SECONDS says.
void RunLong(const std::vector<std::string>& corpus) {
  const char* const asked = std::getenv("MESH_FUZZ_SECONDS");
  if (asked == nullptr) return;
  const char* const chosen = std::getenv("MESH_FUZZ_SEED");
  const auto seed =
      chosen != nullptr ? static_cast<unsigned>(std::strtoul(chosen, nullptr, 10)) : std::random_device{}();
  const std::chrono::seconds seconds(std::strtoul(asked, nullptr, 10));
  std::printf("MESH_FUZZ_SEED=%u\n", seed);
  std::fflush(stdout);
  std::mt19937 random(seed);
  long runs = 0;
  for (const auto began = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - began < seconds;
       ++runs) {
    Run(NextInput(corpus, random));
  }
  std::printf("%ld more in %lld s\n", runs, static_cast<long long>(seconds.count()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> corpus = ReadCorpus(argc, argv);
  for (const std::string& input : corpus) Run(input);
  std::mt19937 random(kSeed);
  for (int i = 0; i < kMutations; ++i) Run(NextInput(corpus, random));
  std::printf("%zu inputs and %d mutations, seed %u\n", corpus.size(), kMutations, kSeed);
  RunLong(corpus);
  return 0;
}
