#include "libs/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cstddef>
#include <exception>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include "libs/base/str_cat.h"
#include "libs/base/utf8.h"

namespace config {
namespace {

constexpr std::size_t kYamlBytesMax = 1024 * 1024;
constexpr std::size_t kYamlDepthMax = 32;

// Builds YamlNodes from the parser's events. It uses events, not the parser's own tree, so that aliases, depth and
// repeated keys are refused while they are read. Exceptions stop the parser; ParseYaml turns them into a status.
class NodeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Take(mark, NewNode(mark, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw YAML::ParserException(mark, "aliases are not supported");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    YamlNode node = NewNode(mark, YamlNode::Kind::kScalar);
    node.scalar = value;
    Take(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(mark, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(mark, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

  YamlNode TakeRoot() { return std::move(root_); }

 private:
  // A list or map that is still being read.
  struct Frame {
    YamlNode node;
    YAML::Mark mark;
    std::string key;  // of the map entry being read
    int key_line = 0;
    bool has_key = false;
    std::set<std::string> keys_seen;
  };

  static YamlNode NewNode(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    return node;
  }

  void Open(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (frames_.size() >= kYamlDepthMax) throw YAML::ParserException(mark, "more than 32 levels");
    if (!frames_.empty() && frames_.back().node.kind == YamlNode::Kind::kMap && !frames_.back().has_key) {
      throw YAML::ParserException(mark, "a key must be a scalar");
    }
    frames_.push_back({NewNode(mark, kind), mark, {}, 0, false, {}});
  }

  void Close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Take(frame.mark, std::move(frame.node));
  }

  // Gives a finished node to the list or map around it.
  void Take(const YAML::Mark& mark, YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = frames_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_key) {
      // The parser's mark of an absent value is where the next thing begins.
      if (node.kind == YamlNode::Kind::kNull) node.line = parent.key_line;
      parent.node.fields.emplace_back(std::move(parent.key), std::move(node));
      parent.has_key = false;
    } else {
      if (node.kind != YamlNode::Kind::kScalar) throw YAML::ParserException(mark, "a key must be a scalar");
      if (!parent.keys_seen.insert(node.scalar).second) {
        throw YAML::ParserException(mark, base::StrCat("the key ", node.scalar, " is there twice"));
      }
      parent.key = std::move(node.scalar);
      parent.key_line = node.line;
      parent.has_key = true;
    }
  }

  std::vector<Frame> frames_;
  YamlNode root_;
};

absl::Status At(const YAML::Mark& mark, std::string_view message) {
  if (mark.is_null()) return absl::InvalidArgumentError(std::string(message));
  return absl::InvalidArgumentError(base::StrCat("line ", mark.line + 1, ", column ", mark.column + 1, ": ", message));
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, node] : fields) {
    if (name == key) return &node;
  }
  return nullptr;
}

absl::StatusOr<YamlNode> ParseYaml(std::string_view text) {
  if (text.size() > kYamlBytesMax) return absl::InvalidArgumentError("larger than 1 MiB");
  if (!base::IsUtf8(text)) return absl::InvalidArgumentError("not UTF-8");
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    NodeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return YamlNode{};
    NodeBuilder more;
    if (parser.HandleNextDocument(more)) return absl::InvalidArgumentError("more than one document");
    return builder.TakeRoot();
  } catch (const YAML::Exception& error) {
    return At(error.mark, error.msg);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
}

absl::StatusOr<YamlNode> ParseYamlFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::error_code unknown;
    const bool is_there = std::filesystem::exists(path, unknown);
    return absl::NotFoundError(base::StrCat(path, is_there || unknown ? ": cannot be opened" : ": no such file"));
  }
  std::string text(kYamlBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof()))
    return absl::InvalidArgumentError(base::StrCat(path, ": cannot be read"));
  text.resize(static_cast<std::size_t>(file.gcount()));
  absl::StatusOr<YamlNode> node = ParseYaml(text);
  if (!node.ok()) return absl::InvalidArgumentError(base::StrCat(path, ": ", node.status().message()));
  return node;
}

}  // namespace config
