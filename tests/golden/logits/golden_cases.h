#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace golden {

// Where the real model is: MESH_MODEL, else what `make model` puts into the tree.
inline std::string ModelPath() {
  const char* path = std::getenv("MESH_MODEL");
  return path != nullptr && *path != '\0' ? path : ".run/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

struct Probe {
  std::int32_t row = 0;           // index into prompt + greedy
  std::vector<std::int32_t> ids;  // which logits
  std::vector<float> logits;      // what the reference says
};

struct Case {
  std::string name;
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> greedy;
  std::vector<Probe> probes;
};

// Reads what make_golden.py wrote (its docstring is the format). An unreadable file gives no cases.
inline std::vector<Case> ReadCases(const std::string& folder) {
  std::ifstream text(folder + "/cases.txt");
  std::ifstream binary(folder + "/logits.bin", std::ios::binary);
  std::vector<Case> cases;
  std::size_t vocabulary = 0;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "vocabulary") {
      words >> vocabulary;
    } else if (kind == "case") {
      words >> cases.emplace_back().name;
    } else if (kind == "prompt" || kind == "greedy") {
      auto& ids = kind == "prompt" ? cases.back().prompt : cases.back().greedy;
      for (std::int32_t id; words >> id;) ids.push_back(id);
    } else if (kind == "probe") {
      Probe& probe = cases.back().probes.emplace_back();
      std::size_t count = 0;
      words >> probe.row >> count;
      probe.ids.resize(count);
      probe.logits.resize(count);
      if (count == vocabulary) {
        for (std::size_t i = 0; i < count; ++i) probe.ids[i] = static_cast<std::int32_t>(i);
      } else {
        binary.read(reinterpret_cast<char*>(probe.ids.data()), static_cast<std::streamsize>(count * 4));
      }
      binary.read(reinterpret_cast<char*>(probe.logits.data()), static_cast<std::streamsize>(count * 4));
    }
  }
  if (!binary) cases.clear();
  return cases;
}

}  // namespace golden
