#include "lib/service/privileges.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/service/testing/in_child.h"

namespace perigee {
namespace {

using ::testing::HasSubstr;
using testing::InChild;

// As every Debian has them.
constexpr char kUser[] = "nobody";
constexpr char kOtherUser[] = "daemon";

std::string StatusOfThisThread() {
  std::ifstream file(fmt::format("/proc/self/task/{}/status", gettid()));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Lacks(const std::string& text, std::initializer_list<std::string> lines) {
  for (const std::string& line : lines)
    if (text.find("\n" + line + "\n") == std::string::npos) return "no \"" + line + "\" in\n" + text;
  return "";
}

constexpr char kNoCapabilities[] = "0000000000000000";

std::string LacksPoverty(const RunAs& as) {
  return Lacks(StatusOfThisThread(),
               {fmt::format("Uid:\t{0}\t{0}\t{0}\t{0}", as.uid),
                fmt::format("Gid:\t{0}\t{0}\t{0}\t{0}", as.gid), fmt::format("CapInh:\t{}", kNoCapabilities),
                fmt::format("CapPrm:\t{}", kNoCapabilities), fmt::format("CapEff:\t{}", kNoCapabilities),
                fmt::format("CapAmb:\t{}", kNoCapabilities), "NoNewPrivs:\t1"});
}

using DropPrivilegesTest = testing::AsRootTest;

TEST_F(DropPrivilegesTest, LeavesNothingToThisThreadNorToLaterOnes) {
  EXPECT_TRUE(InChild([]() -> std::string {
    const RunAs as = FindUser(kUser, "").value();
    if (const absl::Status status = DropPrivileges(as); !status.ok()) return status.ToString();
    std::string wrong = LacksPoverty(as);
    std::thread([&] { wrong += LacksPoverty(as); }).join();
    return wrong;
  }));
}

TEST_F(DropPrivilegesTest, RootCannotBeRegainedNorItsFilesRead) {
  EXPECT_TRUE(InChild([]() -> std::string {
    if (const absl::Status status = DropPrivileges(FindUser(kUser, "").value()); !status.ok())
      return status.ToString();
    if (setuid(0) == 0 || setgid(0) == 0) return "root was regained";
    if (open("/etc/shadow", O_RDONLY) >= 0) return "/etc/shadow was opened";
    return prctl(PR_GET_DUMPABLE) == 1 ? "others of that user may read its memory" : "";
  }));
}

TEST_F(DropPrivilegesTest, TakesTheGroupThatIsNamed) {
  EXPECT_TRUE(InChild([]() -> std::string {
    const RunAs as = FindUser(kUser, kOtherUser).value();
    if (const absl::Status status = DropPrivileges(as); !status.ok()) return status.ToString();
    return LacksPoverty(as) + Lacks(StatusOfThisThread(), {fmt::format("Groups:\t{} ", as.gid)});
  }));
}

TEST_F(DropPrivilegesTest, TheSameUserLosesItsCapabilities) {
  EXPECT_TRUE(InChild([]() -> std::string {
    const RunAs as = FindUser(kUser, "").value();
    prctl(PR_SET_KEEPCAPS, 1);
    if (setresgid(as.gid, as.gid, as.gid) != 0 || setresuid(as.uid, as.uid, as.uid) != 0) return "no set-up";
    if (Lacks(StatusOfThisThread(), {fmt::format("CapPrm:\t{}", kNoCapabilities)}).empty())
      return "no set-up";
    if (const absl::Status status = DropPrivileges(as); !status.ok()) return status.ToString();
    return LacksPoverty(as);
  }));
}

TEST_F(DropPrivilegesTest, WithoutRootOneCannotBecomeAnother) {
  EXPECT_TRUE(InChild([]() -> std::string {
    if (const absl::Status status = DropPrivileges(FindUser(kUser, "").value()); !status.ok())
      return status.ToString();
    const absl::Status status = DropPrivileges(FindUser(kOtherUser, "").value());
    return absl::IsPermissionDenied(status) ? "" : status.ToString();
  }));
}

TEST_F(DropPrivilegesTest, IsRefusedOnceThereAreThreads) {
  EXPECT_TRUE(InChild([]() -> std::string {
    std::atomic<bool> end = false;
    std::thread other([&] { end.wait(false); });
    const absl::Status status = DropPrivileges(FindUser(kUser, "").value());
    end = true;
    end.notify_one();
    other.join();
    if (geteuid() != 0) return "the user has changed";
    return absl::IsFailedPrecondition(status) ? "" : status.ToString();
  }));
}

TEST(FindUser, SaysWhoIsMissing) {
  EXPECT_EQ(FindUser("no-such-user", "").status().message(), "--user: no user \"no-such-user\"");
  EXPECT_EQ(FindUser(kUser, "no-such-group").status().message(), "--group: no group \"no-such-group\"");
}

TEST(FindUser, RefusesRootAndItsGroup) {
  EXPECT_THAT(std::string(FindUser("root", "").status().message()), HasSubstr("--user: root"));
  EXPECT_THAT(std::string(FindUser(kUser, "root").status().message()), HasSubstr("another group"));
}

}  // namespace
}  // namespace perigee
