#include "tools/cdnctl/keys.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/testing/files.h"

namespace perigee::cdnctl {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;
using testing::ElementsAre;
using testing::HasSubstr;

const WallTime kNow(std::chrono::sys_days(std::chrono::year(2031) / 5 / 7));
constexpr days kLife{397}, kMargin{60};

class KeyFolderTest : public testing::Test {
 protected:
  KeyFolder Folder(days later = {}) const { return {root_ / "keys", kNow + later}; }
  std::string Text(const std::string& file) const {
    std::ifstream in(root_ / "keys" / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  mode_t Mode(const std::string& file) const {
    struct stat found {};
    EXPECT_EQ(::stat((root_ / "keys" / file).c_str(), &found), 0) << file;
    return found.st_mode & 0777;
  }
  KeyFolder::Wanted Dublin() const {
    return {.name = "dublin",
            .role = Role::kReplica,
            .addresses = {*IpAddress::Parse("192.0.2.10")},
            .dns_names = {}};
  }

  const TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
};

TEST_F(KeyFolderTest, HoldsWhatAHostIsGivenForNobodyElseToRead) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  const auto key = Folder().Issue(Dublin(), kLife, false);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->role(), "replica");
  EXPECT_THAT(key->addresses(), ElementsAre("192.0.2.10", "127.0.0.1", "::1"));
  EXPECT_EQ(key->done(), "made");
  EXPECT_EQ(Text("dublin/ca.pem"), Text("ca.pem"));
  EXPECT_TRUE(IsSignedBy(Text("dublin/cert.pem"), Text("ca.pem")));
  EXPECT_TRUE(CheckKeyMatches(Text("dublin/cert.pem"), Text("dublin/key.pem")).ok());
  for (const char* secret : {"ca.key", "dublin/key.pem"}) EXPECT_EQ(Mode(secret), 0600u) << secret;
  for (const char* folder : {"", "dublin"}) EXPECT_EQ(Mode(folder), 0700u) << folder;
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "keys/dublin"), fs::directory_iterator()), 3);
}

TEST_F(KeyFolderTest, AnAuthorityIsReplacedOnlyByForce) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  const std::string before = Text("ca.pem");
  EXPECT_EQ(Folder().Init(days(3650), false).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Text("ca.pem"), before);
  EXPECT_TRUE(Folder().Init(days(3650), true).ok());
  EXPECT_NE(Text("ca.pem"), before);
}

TEST_F(KeyFolderTest, WhatSaysTheSameIsKeptAndWhatDoesNotIsReplacedOnlyByForce) {
  EXPECT_TRUE(absl::IsNotFound(Folder().Issue(Dublin(), kLife, false).status())) << "no authority yet";
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  ASSERT_TRUE(Folder().Issue(Dublin(), kLife, false).ok());
  const std::string before = Text("dublin/cert.pem");
  EXPECT_EQ(Folder().Issue(Dublin(), kLife, true)->done(), "kept");
  KeyFolder::Wanted changed = Dublin();
  changed.role = Role::kDirector;
  EXPECT_EQ(Folder().Issue(changed, kLife, false).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Folder(kLife + days(1)).Issue(Dublin(), kLife, false).status().code(),
            absl::StatusCode::kFailedPrecondition)
      << "it has ended";
  EXPECT_EQ(Text("dublin/cert.pem"), before);
  EXPECT_EQ(Folder().Issue(changed, kLife, true)->role(), "director");
  EXPECT_NE(Text("dublin/cert.pem"), before);
}

TEST_F(KeyFolderTest, WhatEndsSoonIsRenewedAndSaysTheSame) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  ASSERT_TRUE(Folder().Issue(Dublin(), kLife, false).ok());
  const auto alice =
      KeyFolder::Wanted{.name = "alice", .role = Role::kOperator, .addresses = {}, .dns_names = {}};
  ASSERT_TRUE(Folder().Issue(alice, days(1000), false).ok());
  const std::string before = Text("dublin/key.pem");
  const auto renewed = Folder(days(350)).Renew({}, kMargin, kLife);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  ASSERT_EQ(renewed->keys_size(), 2);
  EXPECT_EQ(renewed->keys(0).done(), "kept") << "alice";
  EXPECT_EQ(renewed->keys(1).done(), "renewed");
  EXPECT_THAT(renewed->keys(1).addresses(), ElementsAre("192.0.2.10", "127.0.0.1", "::1"));
  EXPECT_EQ(renewed->keys(1).role(), "replica");
  EXPECT_NE(Text("dublin/key.pem"), before);
  EXPECT_EQ(Folder(days(350)).Renew({"alice"}, kMargin, kLife)->keys(0).done(), "renewed") << "by its name";
}

TEST_F(KeyFolderTest, WhatAnEarlierAuthoritySignedIsRenewed) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  ASSERT_TRUE(Folder().Issue(Dublin(), kLife, false).ok());
  ASSERT_TRUE(Folder().Init(days(3650), true).ok());
  EXPECT_EQ(Folder().Renew({}, kMargin, kLife)->keys(0).done(), "renewed");
  EXPECT_TRUE(IsSignedBy(Text("dublin/cert.pem"), Text("ca.pem")));
  EXPECT_EQ(Text("dublin/ca.pem"), Text("ca.pem"));
}

TEST_F(KeyFolderTest, RefusesNamesThatLeadElsewhereAndServersWithoutAddresses) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  for (const char* name : {"", "..", "a/b", ".a", "ca", "a b"}) {
    KeyFolder::Wanted wanted = Dublin();
    wanted.name = name;
    EXPECT_TRUE(absl::IsInvalidArgument(Folder().Issue(wanted, kLife, true).status())) << name;
    EXPECT_FALSE(Folder().Renew({name}, kMargin, kLife).ok()) << name;
  }
  KeyFolder::Wanted nowhere = Dublin();
  nowhere.addresses.clear();
  EXPECT_THAT(std::string(Folder().Issue(nowhere, kLife, true).status().message()), HasSubstr("--address"));
}

TEST_F(KeyFolderTest, ACertificateWithoutARoleIsNotRenewedButIssuedAnew) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  ASSERT_TRUE(Folder().Issue(Dublin(), kLife, false).ok());
  const auto old = IssueCertificate({Text("ca.pem"), Text("ca.key")},
                                    {.common_name = "dublin",
                                     .names = {.addresses = Dublin().addresses, .dns_names = {}, .uris = {}},
                                     .validity = {kNow, kNow + kLife}});
  std::ofstream(root_ / "keys/dublin/cert.pem") << old->certificate_pem;
  std::ofstream(root_ / "keys/dublin/key.pem") << old->key_pem;
  EXPECT_EQ(Folder().Show()->keys(1).role(), "none");
  EXPECT_THAT(std::string(Folder().Renew({"dublin"}, kMargin, kLife).status().message()),
              HasSubstr("says no role"));
  EXPECT_EQ(Folder().Issue(Dublin(), kLife, true)->done(), "made");
}

TEST_F(KeyFolderTest, ATableShowsAllAndColoursWhatEndsSoon) {
  ASSERT_TRUE(Folder().Init(days(3650), false).ok());
  ASSERT_TRUE(Folder().Issue(Dublin(), kLife, false).ok());
  EXPECT_EQ(KeysTable(*Folder().Show(), kNow, false),
            "NAME    ROLE       ADDRESSES   EXPIRES     DAYS\n"
            "ca      authority  -           2041-05-04  3650\n"
            "dublin  replica    192.0.2.10  2032-06-07   397\n");
  fs::remove(root_ / "keys/ca.key");
  const std::string later = KeysTable(*Folder().Show(), kNow + days(390), true);
  EXPECT_THAT(later, HasSubstr("\x1b[31mdublin  replica    192.0.2.10  2032-06-07     7\x1b[0m\n"));
  EXPECT_THAT(later, HasSubstr("\nca      authority")) << "not coloured";
  EXPECT_THAT(KeysTable(*Folder().Show(), kNow + days(350), true), HasSubstr("\x1b[33mdublin"));
}

}  // namespace
}  // namespace perigee::cdnctl
