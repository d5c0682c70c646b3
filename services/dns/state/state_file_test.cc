#include "services/dns/state/state_file.h"

#include <fstream>

#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

TEST_F(StateFileTest, KeepsWhatWasCommitted) {
  {
    auto file = Open();
    auto database = file->Connect(/*durable=*/false);
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE(database->Execute("INSERT INTO replica(name) VALUES('dublin')").ok());
  }
  auto file = Open();
  EXPECT_EQ(*file->Connect(false)->QueryText("SELECT name FROM replica"), "dublin");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".corrupt"));
}

TEST_F(StateFileTest, ASecondServerOnOneFileIsToldSo) {
  auto file = Open();
  const auto second = StateFile::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.status().message(),
            "state file \"" + path_ + "\" is in use by another dnsserver: give each its own dns.state_file");
  file.reset();
  EXPECT_TRUE(StateFile::Open(path_).ok());
}

TEST_F(StateFileTest, AMissingFolderIsNamed) {
  const auto file = StateFile::Open(folder_ / "nowhere/state.sqlite");
  EXPECT_EQ(file.status().message(), "state file: can't make \"" + folder_ / "nowhere/state.sqlite.lock" +
                                         "\": No such file or directory; its folder "
                                         "must exist and be writable");
}

TEST_F(StateFileTest, ADamagedFileIsSetAside) {
  const std::string noise(8192, 'x');
  std::ofstream(path_) << noise;
  auto file = Open();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(*file->Connect(false)->QueryNumber("SELECT count(*) FROM row"), 0);
  EXPECT_EQ(std::filesystem::file_size(path_ + ".corrupt"), noise.size());
}

TEST_F(StateFileTest, AnotherProgramsFileIsSetAside) {
  {
    auto database = sqlite::Database::Open(path_, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database->Execute("CREATE TABLE row(slot INTEGER PRIMARY KEY, data BLOB)").ok());
  }
  ASSERT_NE(Open(), nullptr);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".corrupt"));
}

TEST_F(StateFileTest, ANewerVersionIsSetAside) {
  ASSERT_TRUE(Open()->Connect(false)->Execute("PRAGMA user_version=2").ok());
  auto file = Open();
  EXPECT_EQ(*file->Connect(false)->QueryNumber("PRAGMA user_version"), kStateVersion);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".corrupt"));
}

}  // namespace
}  // namespace perigee::dns
