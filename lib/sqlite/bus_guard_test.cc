#include "lib/sqlite/bus_guard.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace perigee::sqlite {
namespace {

// Two pages of a file, of which the second is no longer there.
class BusGuardTest : public ::testing::Test {
 protected:
  BusGuardTest() {
    const std::string bytes(2 * page_, 'x');
    EXPECT_EQ(write(file_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    map_ = static_cast<const char*>(mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, file_, 0));
    EXPECT_EQ(ftruncate(file_, static_cast<off_t>(page_)), 0);
  }
  ~BusGuardTest() override {
    munmap(const_cast<char*>(map_), 2 * page_);
    close(file_);
  }

  char Read(size_t offset) const { return *static_cast<const volatile char*>(map_ + offset); }

  const size_t page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const int file_ = memfd_create("bus-guard-test", MFD_CLOEXEC);
  const char* map_ = nullptr;
};

TEST_F(BusGuardTest, WhatIsNoLongerThereReadsAsZeros) {
  const uint64_t before = BusGuard::failed_pages();
  const BusGuard guard;
  EXPECT_EQ(Read(page_ - 1), 'x');
  EXPECT_EQ(Read(page_ + 5), '\0');
  EXPECT_EQ(Read(2 * page_ - 1), '\0');
  EXPECT_EQ(BusGuard::failed_pages(), before + 1);
}

TEST_F(BusGuardTest, OneWithinAnotherLeavesItInPlace) {
  const BusGuard outer;
  { const BusGuard inner; }
  EXPECT_EQ(Read(page_), '\0');
}

TEST_F(BusGuardTest, UnguardedReadsEndTheProcess) {
  EXPECT_DEATH(Read(page_), "");
  EXPECT_DEATH(({
                 { const BusGuard guard; }
                 Read(page_);
               }),
               "");
}

}  // namespace
}  // namespace perigee::sqlite
