// Files that a fuzzer, an attacker or a broken download could make. Each is a good file with one lie; each names the
// reason for which it must be refused. The classes are those of published advisories on GGUF readers: sizes that
// overflow, counts that lead to huge allocations, data past the end of the file, and confused types.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "libs/tensor/gguf.h"
#include "tests/libs/tensor/gguf_builder.h"

namespace tensor {
namespace {

constexpr std::uint64_t kU64Max = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kI64Max = std::uint64_t{std::numeric_limits<std::int64_t>::max()};

struct BadFile {
  std::string what;
  std::string reason;  // must be part of the message
  std::string bytes;
  absl::StatusCode code = absl::StatusCode::kDataLoss;
};

using Files = std::vector<BadFile>;

// One tensor entry with these fields behind an honest header, followed by `data` bytes.
std::string OneTensor(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
                      std::uint64_t offset, std::size_t data = 64) {
  GgufBuilder builder;
  builder.Header(1, 0).TensorEntry(name, shape, type, offset).AlignTo(32).Data(data, 'd');
  return builder.bytes();
}

// One metadata entry written by `write` behind an honest header.
std::string OneEntry(const std::function<void(GgufBuilder&)>& write) {
  GgufBuilder builder;
  builder.Header(0, 1);
  write(builder);
  return builder.Data(64, '\0').bytes();
}

void AddHeaders(Files& files) {
  using enum absl::StatusCode;
  const auto header = [](std::string magic, std::uint32_t version, std::uint64_t tensors, std::uint64_t entries) {
    return GgufBuilder().Raw(magic).Put(version).Put(tensors).Put(entries).Data(256, '\0').bytes();
  };
  files.push_back({"empty", "not a GGUF file", ""});
  files.push_back({"another magic", "not a GGUF file", header("GGML", 3, 0, 0)});
  files.push_back({"reversed magic", "not a GGUF file", header("FUGG", 3, 0, 0)});
  files.push_back({"version 0", "version 0", header("GGUF", 0, 0, 0), kFailedPrecondition});
  files.push_back({"version 1", "version 1", header("GGUF", 1, 0, 0), kFailedPrecondition});
  files.push_back({"version 4", "version 4", header("GGUF", 4, 0, 0), kFailedPrecondition});
  files.push_back({"version of all ones", "version 4294967295", header("GGUF", 0xFFFFFFFF, 0, 0), kFailedPrecondition});
  files.push_back({"big endian", "big-endian", header("GGUF", 0x03000000, 0, 0), kFailedPrecondition});
  for (const std::uint64_t count :
       {std::uint64_t{64}, std::uint64_t{1} << 17, std::uint64_t{1} << 32, kI64Max, kU64Max}) {
    files.push_back({"tensor count " + std::to_string(count), "a count of", header("GGUF", 3, count, 0)});
    files.push_back({"metadata count " + std::to_string(count), "a count of", header("GGUF", 3, 0, count)});
  }
}

void AddKeys(Files& files) {
  const auto key_of = [](std::uint64_t length, const std::string& text) {
    return OneEntry([&](GgufBuilder& b) { b.Put(length).Raw(text).Put<std::uint32_t>(0).Put<std::uint8_t>(1); });
  };
  files.push_back({"empty key", "empty metadata key", key_of(0, "")});
  files.push_back({"key longer than the file", "past the end", key_of(5'000, "k")});
  for (const std::uint64_t length : {std::uint64_t{65536}, std::uint64_t{1} << 32, kI64Max, kU64Max}) {
    files.push_back({"key length " + std::to_string(length), "over the limit", key_of(length, "k")});
  }
  for (const std::uint32_t type : {13U, 255U, 0x80000000U, 0xFFFFFFFFU}) {
    files.push_back({"key type " + std::to_string(type), "no such type",
                     OneEntry([&](GgufBuilder& b) { b.Key("k", type).Put<std::uint64_t>(1); })});
  }
  files.push_back({"key twice", "stands twice",
                   GgufBuilder()
                       .Header(0, 2)
                       .Key("same", MetadataType::kUint8)
                       .Put<std::uint8_t>(1)
                       .Key("same", MetadataType::kBool)
                       .Put<std::uint8_t>(1)
                       .bytes()});
  files.push_back({"bool of 2", "neither 0 nor 1",
                   OneEntry([](GgufBuilder& b) { b.Key("k", MetadataType::kBool).Put<std::uint8_t>(2); })});
  for (const std::uint64_t length : {std::uint64_t{65}, (std::uint64_t{16} << 20) + 1, kI64Max, kU64Max}) {
    files.push_back({"string length " + std::to_string(length), length == 65 ? "past the end" : "over the limit",
                     OneEntry([&](GgufBuilder& b) { b.Key("k", MetadataType::kString).Put(length); })});
  }
}

void AddArrays(Files& files) {
  const auto array_of = [](std::uint32_t element_type, std::uint64_t count) {
    return OneEntry([&](GgufBuilder& b) { b.Key("k", MetadataType::kArray).Put(element_type).Put(count); });
  };
  const auto number = [](MetadataType type) { return static_cast<std::uint32_t>(type); };
  for (const std::uint32_t type : {13U, 0xFFFFFFFFU}) {
    files.push_back({"array of type " + std::to_string(type), "no such type", array_of(type, 1)});
  }
  files.push_back({"array of arrays", "array of arrays", array_of(number(MetadataType::kArray), 1)});
  for (const std::uint64_t count : {std::uint64_t{17} << 20, std::uint64_t{1} << 61, kI64Max, kU64Max}) {
    files.push_back({"array of " + std::to_string(count) + " float64", "over the limit",
                     array_of(number(MetadataType::kFloat64), count)});
    files.push_back({"array of " + std::to_string(count) + " strings", "over the limit",
                     array_of(number(MetadataType::kString), count)});
  }
  for (const MetadataType type : {MetadataType::kUint8, MetadataType::kInt16, MetadataType::kFloat32,
                                  MetadataType::kUint64, MetadataType::kBool}) {
    files.push_back({"array reaching past the end, type " + std::to_string(number(type)), "past the end",
                     array_of(number(type), 65)});
  }
  // 64 zero bytes follow: eight empty strings and the start of a ninth.
  files.push_back({"more strings than bytes", "ends inside the length", array_of(number(MetadataType::kString), 9)});
  files.push_back(
      {"array string past the end", "past the end", OneEntry([&](GgufBuilder& b) {
         b.Key("k", MetadataType::kArray).ArrayHead(MetadataType::kString, 2).Text("a").Put<std::uint64_t>(65);
       })});
  files.push_back({"array string of all ones", "over the limit", OneEntry([&](GgufBuilder& b) {
                     b.Key("k", MetadataType::kArray).ArrayHead(MetadataType::kString, 1).Put(kU64Max);
                   })});
  files.push_back({"array with a bool of 255", "neither 0 nor 1", OneEntry([&](GgufBuilder& b) {
                     b.Key("k", MetadataType::kArray).ArrayHead(MetadataType::kBool, 2).Raw("\x01\xFF");
                   })});
}

void AddAlignments(Files& files) {
  for (const std::uint32_t alignment : {0U, 1U, 4U, 7U, 24U, 33U, 65535U, 131072U, 0x80000000U, 0xFFFFFFFFU}) {
    files.push_back({"alignment " + std::to_string(alignment), "not a power of two", OneEntry([&](GgufBuilder& b) {
                       b.Key("general.alignment", MetadataType::kUint32).Put(alignment);
                     })});
  }
  files.push_back({"alignment as uint64", "not a uint32", OneEntry([](GgufBuilder& b) {
                     b.Key("general.alignment", MetadataType::kUint64).Put<std::uint64_t>(32);
                   })});
  files.push_back({"alignment as float", "not a uint32",
                   OneEntry([](GgufBuilder& b) { b.Key("general.alignment", MetadataType::kFloat32).Put(32.0F); })});
  files.push_back({"alignment as text", "not a uint32",
                   OneEntry([](GgufBuilder& b) { b.Key("general.alignment", MetadataType::kString).Text("32"); })});
}

void AddTensorEntries(Files& files) {
  files.push_back({"empty name", "empty tensor name", OneTensor("", {4}, 0, 0)});
  files.push_back({"name of 65 bytes", "over the limit", OneTensor(std::string(65, 'n'), {4}, 0, 0)});
  files.push_back(
      {"name length of all ones", "over the limit", GgufBuilder().Header(1, 0).Put(kU64Max).Data(99, 'x').bytes()});
  files.push_back({"no dimensions", "0 dimensions", OneTensor("t", {}, 0, 0)});
  files.push_back({"five dimensions", "5 dimensions", OneTensor("t", {1, 1, 1, 1, 1}, 0, 0)});
  files.push_back({"dimension count of all ones", "4294967295 dimensions",
                   GgufBuilder().Header(1, 0).Text("t").Put<std::uint32_t>(0xFFFFFFFF).Data(99, 'x').bytes()});
  files.push_back({"a dimension of 0", "dimension of 0", OneTensor("t", {4, 0}, 0, 0)});
  for (const std::uint32_t type : {4U, 9U, 10U, 15U, 24U, 31U, 40U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    files.push_back({"tensor type " + std::to_string(type), "tensor \"t\": type", OneTensor("t", {32}, type, 0),
                     absl::StatusCode::kFailedPrecondition});
  }
  files.push_back({"partial block", "not whole blocks", OneTensor("t", {33}, 3, 0)});
  files.push_back({"offset off the alignment", "not a multiple", OneTensor("t", {4}, 0, 16)});
  files.push_back({"name twice", "stands twice",
                   GgufBuilder()
                       .Header(2, 0)
                       .TensorEntry("t", {4}, 0, 0)
                       .TensorEntry("t", {4}, 0, 32)
                       .AlignTo(32)
                       .Data(64, 'd')
                       .bytes()});
  files.push_back({"terminal codes in a name are escaped", "\\x1b[2J", OneTensor("\033[2J", {0}, 0, 0)});
}

void AddTensorSizes(Files& files) {
  files.push_back({"one value too many", "past the end of the file", OneTensor("t", {17}, 0, 0)});
  files.push_back({"one row too many", "past the end of the file", OneTensor("t", {4, 5}, 0, 0)});
  files.push_back({"starts at the end", "past the end of the file", OneTensor("t", {4}, 0, 64)});
  files.push_back({"offset far outside", "past the end of the file", OneTensor("t", {4}, 0, std::uint64_t{1} << 40)});
  files.push_back({"offset that wraps", "past the end of the file", OneTensor("t", {4}, 0, kU64Max - 31)});
  files.push_back({"offset of 2^63", "past the end of the file", OneTensor("t", {4}, 0, std::uint64_t{1} << 63)});
  // 2^62 float32 are 2^64 bytes: zero in 64 bits, and a small file would seem to hold them.
  files.push_back({"bytes wrap to zero", "overflows 64 bits", OneTensor("t", {std::uint64_t{1} << 62}, 0, 0)});
  files.push_back({"bytes wrap to four", "overflows 64 bits", OneTensor("t", {(std::uint64_t{1} << 62) + 1}, 0, 0)});
  files.push_back(
      {"rows wrap", "overflows 64 bits", OneTensor("t", {std::uint64_t{1} << 31, std::uint64_t{1} << 31}, 0, 0)});
  files.push_back(
      {"four dimensions wrap", "overflows 64 bits", OneTensor("t", {1 << 16, 1 << 16, 1 << 16, 1 << 16}, 0, 0)});
  files.push_back(
      {"all dimensions all ones", "overflows 64 bits", OneTensor("t", {kU64Max, kU64Max, kU64Max, kU64Max}, 0, 0)});
  files.push_back({"negative as signed", "overflows 64 bits", OneTensor("t", {kI64Max + 1}, 0, 0)});
  files.push_back({"quantised bytes wrap", "overflows 64 bits", OneTensor("t", {kU64Max - 31}, 8, 0)});
  files.push_back(
      {"exabyte in a small file", "past the end of the file", OneTensor("t", {32, std::uint64_t{1} << 54}, 3, 0)});
  const auto two = [](std::uint64_t second_offset, std::uint64_t first_values) {
    return GgufBuilder()
        .Header(2, 0)
        .TensorEntry("a", {first_values}, 0, 0)
        .TensorEntry("b", {4}, 0, second_offset)
        .AlignTo(32)
        .Data(256, 'd')
        .bytes();
  };
  files.push_back({"same place", "inside another tensor", two(0, 4)});
  files.push_back({"overlap by one alignment", "inside another tensor", two(32, 16)});
  files.push_back({"overlap in the padded tail", "inside another tensor", two(32, 9)});
  files.push_back({"a hole between", "after a hole", two(96, 4)});
  files.push_back({"a hole in front", "after a hole", OneTensor("t", {4}, 0, 32)});
}

Files AllBadFiles() {
  Files files;
  AddHeaders(files);
  AddKeys(files);
  AddArrays(files);
  AddAlignments(files);
  AddTensorEntries(files);
  AddTensorSizes(files);
  return files;
}

TEST(GgufBadFilesTest, EachIsRefusedForItsOwnReason) {
  const Files files = AllBadFiles();
  EXPECT_GE(files.size(), 100u);
  for (const BadFile& bad : files) {
    const auto file = GgufFile::Parse(AsBytes(bad.bytes));
    ASSERT_FALSE(file.ok()) << bad.what;
    EXPECT_EQ(file.status().code(), bad.code) << bad.what << ": " << file.status();
    EXPECT_NE(std::string(file.status().message()).find(bad.reason), std::string::npos)
        << bad.what << ": " << file.status();
  }
}

// Goal: an altered byte never makes the reader reach outside the file. Method: each byte of a header takes each of its
// 256 values; what is still accepted must lie inside the file.
TEST(GgufBadFilesTest, EveryByteOfAHeaderCanBeAnyValue) {
  GgufBuilder builder;
  builder.Header(2, 2);
  builder.Key("general.alignment", MetadataType::kUint32).Put<std::uint32_t>(32);
  builder.Key("texts", MetadataType::kArray).ArrayHead(MetadataType::kString, 2).Text("a").Text("bb");
  builder.TensorEntry("w", {32, 2}, 3, 0).TensorEntry("v", {4}, 0, 64).AlignTo(32);
  const std::size_t header_size = builder.bytes().size();
  const std::string good = builder.Data(40, 'w').AlignTo(32).Data(16, 'v').bytes();
  ASSERT_TRUE(GgufFile::Parse(AsBytes(good)).ok());
  for (std::size_t at = 0; at < header_size; ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string altered = good;
      altered[at] = static_cast<char>(value);
      const auto file = GgufFile::Parse(AsBytes(altered));
      if (!file.ok()) continue;
      for (const Tensor& tensor : (*file)->tensors()) {
        ASSERT_GE(tensor.data.data(), AsBytes(altered).data());
        ASSERT_LE(tensor.data.data() + tensor.data.size(), AsBytes(altered).data() + altered.size());
        ASSERT_EQ(tensor.data.size(), tensor.row_bytes * tensor.rows());
      }
      // Whatever type the altered byte gave the array, reading it must stay inside the file.
      (void)(*file)->GetStringArray("texts");
      (void)(*file)->GetInt32Array("texts");
      (void)(*file)->GetFloat32Array("texts");
    }
  }
}

}  // namespace
}  // namespace tensor
