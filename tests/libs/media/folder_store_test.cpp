#include "libs/media/folder_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "libs/base/str_cat.h"

namespace media {
namespace {

namespace fs = std::filesystem;

class FolderStoreTest : public testing::Test {
 protected:
  FolderStoreTest() : folder_(testing::TempDir() + base::StrCat("folder_store-", ::getpid(), "/media")) {}
  ~FolderStoreTest() override { fs::remove_all(fs::path(folder_).parent_path()); }

  std::unique_ptr<FolderStore> Open(std::int64_t bytes_max = 1 << 30, base::Duration keep = std::chrono::hours(1)) {
    auto store = FolderStore::Open({.folder = folder_, .bytes_max = bytes_max, .keep = keep});
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // Of the turn of this name.
  static StoreKey KeyOf(std::string turn, std::string tenant = "test", std::size_t index = 0) {
    turn.resize(32);
    return {.tenant = std::move(tenant), .turn_id = std::move(turn), .index = index};
  }
  fs::path PathOf(const std::string& turn) const { return fs::path(folder_) / KeyOf(turn).Path().value(); }
  void Age(const std::string& turn, std::chrono::seconds by) {
    fs::last_write_time(PathOf(turn), fs::file_time_type::clock::now() - by);
  }
  std::size_t FilesCount() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  const std::string folder_;
};

TEST_F(FolderStoreTest, AFileIsFoundByItsTurnAndPlaceWithinItsTenant) {
  const auto store = Open();
  EXPECT_FALSE(fs::exists(folder_)) << "made by the first file";
  ASSERT_TRUE(store->Put(KeyOf("a"), "a picture").ok());
  ASSERT_TRUE(store->Put(KeyOf("a"), "a picture").ok());
  EXPECT_EQ(FilesCount(), 1u);
  ASSERT_TRUE(store->Put(KeyOf("a", "test", 1), "another").ok());
  ASSERT_TRUE(store->Put(KeyOf("b"), "a picture").ok());
  EXPECT_EQ(store->Get(KeyOf("a")).value(), "a picture");
  EXPECT_EQ(store->Get(KeyOf("a", "test", 1)).value(), "another");
  EXPECT_EQ(store->Get(KeyOf("a", "another")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Open()->Get(KeyOf("a")).value(), "a picture") << "a worker that shares the folder";
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(PathOf("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(PathOf("a").lexically_relative(folder_), base::StrCat("t_test/61/61", std::string(62, '0'), "-0"));
}

TEST_F(FolderStoreTest, ATenantCannotLeaveTheFolder) {
  const auto store = Open();
  EXPECT_EQ(store->Put(KeyOf("x", "../../etc"), "x").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(store->Put(KeyOf("x", ".."), "x").ok()) << "a name that accounts may have";
  EXPECT_TRUE(fs::exists(fs::path(folder_) / "t_.."));
}

TEST_F(FolderStoreTest, OneFileIsDeletedWithoutItsLikes) {
  const auto store = Open();
  EXPECT_TRUE(store->Delete(KeyOf("never there")).ok());
  ASSERT_TRUE(store->Put(KeyOf("a"), "a picture").ok());
  ASSERT_TRUE(store->Put(KeyOf("b"), "a picture").ok()) << "another user sent it too";
  EXPECT_TRUE(store->Delete(KeyOf("a")).ok());
  EXPECT_TRUE(store->Delete(KeyOf("a")).ok());
  EXPECT_EQ(store->Get(KeyOf("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->Get(KeyOf("b")).value(), "a picture");
}

TEST_F(FolderStoreTest, OldFilesGoByThemselves) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(KeyOf("old"), "old").ok());
  ASSERT_TRUE(store->Put(KeyOf("new"), "new").ok());
  Age("old", std::chrono::hours(2));
  store->Expire();
  EXPECT_FALSE(store->Get(KeyOf("old")).ok());
  EXPECT_TRUE(store->Get(KeyOf("new")).ok());
}

TEST_F(FolderStoreTest, AFullFolderLosesItsOldestFiles) {
  const auto store = Open(/*bytes_max=*/10 * 4096);
  for (int i = 0; i < 10; ++i) {
    const std::string bytes = base::StrCat("file ", i);
    ASSERT_TRUE(store->Put(KeyOf(bytes), bytes).ok());
    Age(bytes, std::chrono::seconds(600 - i * 10));
  }
  ASSERT_TRUE(store->Put(KeyOf("one more"), "one more").ok());
  EXPECT_FALSE(store->Get(KeyOf("file 0")).ok());
  EXPECT_TRUE(store->Get(KeyOf("file 9")).ok());
  EXPECT_TRUE(store->Get(KeyOf("one more")).ok());
  EXPECT_LE(FilesCount(), 10u);
}

TEST_F(FolderStoreTest, WhatNeverFitsIsRefusedAndCostsNothing) {
  const auto store = Open(/*bytes_max=*/4 * 4096);
  ASSERT_TRUE(store->Put(KeyOf("small"), "small").ok());
  const std::string large(5 * 4096, 'x');
  EXPECT_EQ(store->Put(KeyOf("large"), large).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(store->Get(KeyOf("small")).ok());
}

TEST_F(FolderStoreTest, WhatIsNoFolderIsSaidAtTheStart) {
  fs::create_directories(fs::path(folder_).parent_path());
  std::ofstream(folder_) << "a file";
  const auto store = FolderStore::Open({.folder = folder_});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(store.status().message()).find("--media-store"), std::string::npos);
}

}  // namespace
}  // namespace media
