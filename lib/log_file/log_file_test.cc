#include "lib/log_file/log_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "lib/base/testing/files.h"

namespace perigee {
namespace {

using testing::ElementsAre;

constexpr size_t kRecordsPerRing = 64;

class LogFileTest : public testing::Test {
 protected:
  std::string path(std::string_view name = "the.log") const { return folder_ / name; }

  // Numbers, a line each. It writes when it is reopened or ends, not sooner.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path) {
    return LogFile::Open({.what = "test log",
                          .path = path,
                          .format =
                              [](std::string_view record, std::string* out) {
                                int number = 0;
                                std::memcpy(&number, record.data(), sizeof(number));
                                *out += std::to_string(number) + "\n";
                              },
                          .ring_size = kRecordsPerRing * LogRing::SpaceFor(sizeof(int)),
                          .flush_interval = std::chrono::hours(1)});
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(LogFileTest, WritesWhatIsInTheRingsWhenItEnds) {
  auto log = Open(path()).value();
  EXPECT_TRUE(log->NewRing().Push(1));
  EXPECT_TRUE(log->NewRing().Push(2));
  log.reset();
  EXPECT_THAT(Lines(path()), ElementsAre("1", "2"));
}

TEST_F(LogFileTest, AppendsToAFileThatOthersCannotRead) {
  for (int i = 0; i < 2; ++i) Open(path()).value()->NewRing().Push(i);
  EXPECT_THAT(Lines(path()), ElementsAre("0", "1"));
  struct stat status;
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007, 0u);
}

TEST_F(LogFileTest, AFullRingLosesAndCounts) {
  auto log = Open(path()).value();
  LogRing& ring = log->NewRing();
  for (size_t i = 0; i < kRecordsPerRing; ++i) EXPECT_TRUE(ring.Push(7));
  EXPECT_FALSE(ring.Push(7));
  EXPECT_EQ(log->lost(), 1u);
  ASSERT_TRUE(log->Reopen().ok());  // writes what is there
  EXPECT_EQ(log->written(), kRecordsPerRing);
  EXPECT_EQ(Lines(path()).size(), kRecordsPerRing);
  EXPECT_TRUE(ring.Push(7));
}

TEST_F(LogFileTest, AfterARenameReopenWritesToANewFile) {
  auto log = Open(path()).value();
  LogRing& ring = log->NewRing();
  ring.Push(1);
  std::filesystem::rename(path(), path("old"));
  ASSERT_TRUE(log->Reopen().ok());
  ring.Push(2);
  log.reset();
  EXPECT_THAT(Lines(path("old")), ElementsAre("1"));
  EXPECT_THAT(Lines(path()), ElementsAre("2"));
}

TEST_F(LogFileTest, WritesOnToTheOldFileWhenItCannotReopen) {
  std::filesystem::create_directory(path("d"));
  auto log = Open(path("d/log")).value();
  std::filesystem::rename(path("d"), path("e"));
  EXPECT_FALSE(log->Reopen().ok());
  log->NewRing().Push(1);
  log.reset();
  EXPECT_THAT(Lines(path("e/log")), ElementsAre("1"));
}

TEST_F(LogFileTest, AFullDiskLosesAndCounts) {
  auto log = Open("/dev/full").value();
  LogRing& ring = log->NewRing();
  ring.Push(1);
  ring.Push(2);
  ASSERT_TRUE(log->Reopen().ok());
  EXPECT_EQ(log->lost(), 2u);
  EXPECT_EQ(log->written(), 0u);
}

TEST_F(LogFileTest, AFileThatCannotBeOpenedIsNamed) {
  EXPECT_EQ(std::string(Open(path("absent/log")).status().message()),
            "cannot open the test log " + path("absent/log") + ": No such file or directory");
}

}  // namespace
}  // namespace perigee
