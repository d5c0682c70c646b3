#include "services/replica/machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib/base/testing/files.h"

namespace perigee::replica {
namespace {

TEST(ThisMachine, HasCoresAndMemory) {
  EXPECT_GT(ThisMachine().cores, 0);
  EXPECT_GT(ThisMachine().memory_bytes, 50'000'000u);
}

TEST(MemoryLimitOf, IsTheLeastOfAControlGroupAndThoseAboveIt) {
  const TemporaryFolder folder;
  const std::string& root = folder.path();
  std::filesystem::create_directories(root + "/a/b");
  const auto write = [&](const std::string& group, const char* text) {
    std::ofstream(root + group + "/memory.max") << text << "\n";
  };
  EXPECT_EQ(MemoryLimitOf(root, "/a/b"), UINT64_MAX);
  write("", "max");
  write("/a", "3000");
  write("/a/b", "5000");
  EXPECT_EQ(MemoryLimitOf(root, "/a/b"), 3'000u);
  EXPECT_EQ(MemoryLimitOf(root, "/"), UINT64_MAX);
  write("/a/b", "2000");
  EXPECT_EQ(MemoryLimitOf(root, "/a/b"), 2'000u);
  write("", "1000");
  EXPECT_EQ(MemoryLimitOf(root, "/a/b"), 1'000u);
  EXPECT_EQ(MemoryLimitOf(root, ""), 1'000u);
}

}  // namespace
}  // namespace perigee::replica
