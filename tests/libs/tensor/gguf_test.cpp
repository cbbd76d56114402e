#include "libs/tensor/gguf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/libs/tensor/gguf_builder.h"

namespace tensor {
namespace {

// A file with one metadata entry of every type and three tensors of different types.
std::string SmallModel() {
  GgufBuilder builder;
  builder.Header(/*tensors=*/3, /*entries=*/17);
  builder.Key("u8", MetadataType::kUint8).Put<std::uint8_t>(200);
  builder.Key("i8", MetadataType::kInt8).Put<std::int8_t>(-100);
  builder.Key("u16", MetadataType::kUint16).Put<std::uint16_t>(60'000);
  builder.Key("i16", MetadataType::kInt16).Put<std::int16_t>(-30'000);
  builder.Key("u32", MetadataType::kUint32).Put<std::uint32_t>(4'000'000'000);
  builder.Key("i32", MetadataType::kInt32).Put<std::int32_t>(-2'000'000'000);
  builder.Key("u64", MetadataType::kUint64).Put(std::numeric_limits<std::uint64_t>::max());
  builder.Key("i64", MetadataType::kInt64).Put(std::numeric_limits<std::int64_t>::min());
  builder.Key("f32", MetadataType::kFloat32).Put(1.5F);
  builder.Key("f64", MetadataType::kFloat64).Put(-2.25);
  builder.Key("nan", MetadataType::kFloat32).Put(std::nanf(""));
  builder.Key("bool", MetadataType::kBool).Put<std::uint8_t>(1);
  builder.Key("text", MetadataType::kString).Text("hello");
  builder.Key("texts", MetadataType::kArray).ArrayHead(MetadataType::kString, 3).Text("a").Text("").Text("ccc");
  builder.Key("i32s", MetadataType::kArray)
      .ArrayHead(MetadataType::kInt32, 2)
      .Put<std::int32_t>(-7)
      .Put<std::int32_t>(9);
  builder.Key("f32s", MetadataType::kArray).ArrayHead(MetadataType::kFloat32, 2).Put(0.5F).Put(4.0F);
  builder.Key("i8s", MetadataType::kArray).ArrayHead(MetadataType::kInt8, 8).Raw("12345678");
  builder.TensorEntry("norm", {3}, /*F32=*/0, 0);          // 12 bytes
  builder.TensorEntry("weight", {64, 2}, /*Q4_1=*/3, 32);  // 80 bytes
  builder.TensorEntry("cube", {2, 3, 4}, /*F16=*/1, 128);  // 48 bytes
  builder.AlignTo(32).Data(12, 'a').AlignTo(32).Data(80, 'b').AlignTo(32).Data(48, 'c');
  return builder.bytes();
}

TEST(GgufTest, EveryTensorIsFoundWithItsBytes) {
  const std::string bytes = SmallModel();
  const auto file = GgufFile::Parse(AsBytes(bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->version(), 3u);
  EXPECT_EQ((*file)->alignment(), 32u);
  ASSERT_EQ((*file)->tensors().size(), 3u);
  const Tensor* weight = (*file)->FindTensor("weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dtype, DType::kQ4_1);
  EXPECT_EQ(weight->shape, (std::vector<std::uint64_t>{64, 2}));
  EXPECT_EQ(weight->cols(), 64u);
  EXPECT_EQ(weight->rows(), 2u);
  EXPECT_EQ(weight->row_bytes, 40u);
  ASSERT_EQ(weight->data.size(), 80u);
  EXPECT_EQ(weight->data.front(), std::byte{'b'});
  EXPECT_EQ(weight->data.back(), std::byte{'b'});
  EXPECT_EQ((*file)->FindTensor("norm")->rows(), 1u);
  EXPECT_EQ((*file)->FindTensor("cube")->rows(), 12u);
  EXPECT_EQ((*file)->FindTensor("absent"), nullptr);
  EXPECT_EQ((*file)->GetTensor("absent").status().code(), absl::StatusCode::kNotFound);
}

TEST(GgufTest, NumbersOfAnyWidthAreReadWhenTheyFit) {
  const std::string bytes = SmallModel();
  const auto file = GgufFile::Parse(AsBytes(bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufFile& model = **file;
  EXPECT_EQ(model.GetUint("u8").value(), 200u);
  EXPECT_EQ(model.GetInt("i8").value(), -100);
  EXPECT_EQ(model.GetUint("u16").value(), 60'000u);
  EXPECT_EQ(model.GetInt("i16").value(), -30'000);
  EXPECT_EQ(model.GetUint("u32").value(), 4'000'000'000u);
  EXPECT_EQ(model.GetInt("u32").value(), 4'000'000'000);
  EXPECT_EQ(model.GetInt("i32").value(), -2'000'000'000);
  EXPECT_EQ(model.GetUint("u64").value(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(model.GetInt("i64").value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(model.GetFloat("f32").value(), 1.5);
  EXPECT_EQ(model.GetFloat("f64").value(), -2.25);
  EXPECT_TRUE(model.GetBool("bool").value());
  EXPECT_EQ(model.GetString("text").value(), "hello");
  EXPECT_EQ(model.GetStringArray("texts").value(), (std::vector<std::string_view>{"a", "", "ccc"}));
  EXPECT_EQ(model.GetInt32Array("i32s").value(), (std::vector<std::int32_t>{-7, 9}));
  EXPECT_EQ(model.GetFloat32Array("f32s").value(), (std::vector<float>{0.5F, 4.0F}));
}

TEST(GgufTest, AGetterRefusesEveryOtherTypeAndNamesTheKey) {
  const std::string bytes = SmallModel();
  const auto file = GgufFile::Parse(AsBytes(bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufFile& model = **file;
  const auto expect_refused = [](const absl::Status& status, const std::string& key) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << key;
    EXPECT_NE(std::string(status.message()).find("key " + key), std::string::npos) << status;
  };
  expect_refused(model.GetUint("i8").status(), "i8");  // negative
  expect_refused(model.GetUint("i64").status(), "i64");
  expect_refused(model.GetInt("u64").status(), "u64");  // too large
  expect_refused(model.GetFloat("nan").status(), "nan");
  for (const std::string key : {"f32", "bool", "text", "texts"}) expect_refused(model.GetUint(key).status(), key);
  for (const std::string key : {"u8", "i64", "text", "f32s"}) expect_refused(model.GetFloat(key).status(), key);
  for (const std::string key : {"u8", "f32", "text", "i8s"}) expect_refused(model.GetBool(key).status(), key);
  for (const std::string key : {"u8", "bool", "texts"}) expect_refused(model.GetString(key).status(), key);
  // An int8 array read as int32 or float32 is the classic confusion: the count would reach four times past the bytes.
  for (const std::string key : {"i8s", "f32s", "texts", "i32"}) expect_refused(model.GetInt32Array(key).status(), key);
  for (const std::string key : {"i8s", "i32s", "texts", "f32"})
    expect_refused(model.GetFloat32Array(key).status(), key);
  for (const std::string key : {"i8s", "i32s", "text"}) expect_refused(model.GetStringArray(key).status(), key);
  EXPECT_EQ(model.GetUint("absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(model.GetStringArray("absent").status().code(), absl::StatusCode::kNotFound);
}

// Goal: no length of file makes the reader touch a byte past it. Method: every prefix of a small model in a heap block
// of exactly that size, so that AddressSanitizer sees a read of one byte too many; each must be refused.
TEST(GgufTest, ATruncatedFileIsRefusedAtEveryByte) {
  const std::string bytes = SmallModel();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto block = std::make_unique<char[]>(size);
    bytes.copy(block.get(), size);
    const auto file = GgufFile::Parse(AsBytes(std::string_view(block.get(), size)));
    ASSERT_FALSE(file.ok()) << "the first " << size << " of " << bytes.size() << " bytes";
    ASSERT_EQ(file.status().code(), absl::StatusCode::kDataLoss) << file.status();
    ASSERT_EQ(std::string(file.status().message()).rfind("GGUF byte ", 0), 0u) << file.status();
  }
  EXPECT_TRUE(GgufFile::Parse(AsBytes(bytes)).ok());
  EXPECT_TRUE(GgufFile::Parse(AsBytes(bytes + "trailing bytes are allowed")).ok());
}

TEST(GgufTest, AVocabularyOnlyFileHasNoTensors) {
  GgufBuilder builder;
  builder.Header(0, 1).Key("k", MetadataType::kBool).Put<std::uint8_t>(0);
  const auto file = GgufFile::Parse(AsBytes(builder.bytes()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->tensors().empty());
  EXPECT_EQ((*file)->MetadataKeys(), (std::vector<std::string_view>{"k"}));
}

TEST(GgufTest, TensorsMayStandInAnyOrderOfTheTable) {
  GgufBuilder builder;
  builder.Header(2, 1).Key("general.alignment", MetadataType::kUint32).Put<std::uint32_t>(64);
  builder.TensorEntry("second", {4}, 0, 64).TensorEntry("first", {4}, 0, 0);
  builder.AlignTo(64).Data(16, '1').AlignTo(64).Data(16, '2');
  const auto file = GgufFile::Parse(AsBytes(builder.bytes()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->alignment(), 64u);
  EXPECT_EQ((*file)->tensors()[0].data[0], std::byte{'2'});
  EXPECT_EQ((*file)->FindTensor("first")->data[0], std::byte{'1'});
}

class GgufOpenTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "gguf_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    std::remove(path().c_str());
    ::rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/model.gguf"; }
  void Write(const std::string& bytes) const {
    std::FILE* file = std::fopen(path().c_str(), "wb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    ASSERT_EQ(std::fclose(file), 0);
  }

  std::string directory_;
};

TEST_F(GgufOpenTest, MapsAFileAndKeepsItAfterItsNameIsGone) {
  Write(SmallModel());
  const auto file = GgufFile::Open(path());
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(std::remove(path().c_str()), 0);
  EXPECT_EQ((*file)->FindTensor("cube")->data.back(), std::byte{'c'});
}

TEST_F(GgufOpenTest, ReleasedPagesAreReadAgain) {
  Write(SmallModel());
  const auto file = GgufFile::Open(path());
  ASSERT_TRUE(file.ok()) << file.status();
  for (const Tensor& tensor : (*file)->tensors()) {
    const std::vector<std::byte> before(tensor.data.begin(), tensor.data.end());
    (*file)->ReleasePages(tensor.data);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), tensor.data.begin()));
  }
}

TEST_F(GgufOpenTest, AnErrorNamesThePath) {
  EXPECT_EQ(GgufFile::Open(path()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GgufFile::Open(directory_).status().code(), absl::StatusCode::kFailedPrecondition);
  Write("");
  EXPECT_EQ(GgufFile::Open(path()).status().code(), absl::StatusCode::kDataLoss);
  Write("not a model");
  const absl::Status status = GgufFile::Open(path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(std::string(status.message()).find(path()), std::string::npos) << status;
}

TEST_F(GgufOpenTest, AFifoIsRefusedWithoutWaitingForAWriter) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(GgufFile::Open(path()).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tensor
