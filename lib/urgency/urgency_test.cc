#include "lib/urgency/urgency.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "lib/service/privileges.h"
#include "lib/service/testing/in_child.h"

namespace perigee {
namespace {

using testing::InChild;

int Niceness() { return getpriority(PRIO_PROCESS, 0); }

// Of this thread, in nanoseconds; 0 where the kernel does not tell.
uint64_t Slice() {
  std::ifstream file("/proc/thread-self/sched");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("se.slice")) return std::stoull(line.substr(line.find(':') + 1));
  }
  return 0;
}

TEST(UrgencyTest, WhatRunsInTheBackgroundStartsOthersThere) {
  const int before = Niceness();
  int in_thread = 0, in_its_thread = 0;
  std::thread([&] {
    RunInBackground();
    in_thread = Niceness();
    std::thread([&] { in_its_thread = Niceness(); }).join();
  }).join();
  EXPECT_EQ(in_thread, before + 10);
  EXPECT_EQ(in_its_thread, before + 10);
  EXPECT_EQ(Niceness(), before) << "other threads keep their priority";
}

TEST(UrgencyTest, APromptThreadKeepsItsPriorityAndGetsShortSlices) {
  int before = 0, after = 0;
  uint64_t normal = 0, slice = 0;
  std::thread([&] {
    RunInBackground();
    before = Niceness();
    normal = Slice();
    RunPromptly();
    after = Niceness();
    slice = Slice();
  }).join();
  EXPECT_EQ(after, before);
  // Linux before 6.12 shows no slice, or does not change it.
  EXPECT_THAT(slice, ::testing::AnyOf(uint64_t{100'000}, normal));
}

using std::chrono::milliseconds;

// Windows in which a thread used `share` of its core, after `windows` of which it may come first or not.
class ModestyTest : public ::testing::Test {
 protected:
  ModestyTest() { EXPECT_TRUE(modesty_.MayComeFirst(now_, cpu_time_)); }

  bool After(int windows, double share) {
    bool may = false;
    for (int i = 0; i < windows; ++i) {
      now_ += Modesty::kWindow;
      cpu_time_ += std::chrono::duration_cast<std::chrono::nanoseconds>(Modesty::kWindow * share);
      may = modesty_.MayComeFirst(now_, cpu_time_);
    }
    return may;
  }

 private:
  Modesty modesty_;
  MonoTime now_ = MonoTime(std::chrono::hours(1));
  std::chrono::nanoseconds cpu_time_ = milliseconds(3);
};

TEST_F(ModestyTest, WhoLeavesHalfOfTheCoreComesFirst) {
  EXPECT_TRUE(After(1, 0));
  EXPECT_TRUE(After(100, 0.49));
  EXPECT_FALSE(After(1, 0.51)) << "one window is enough to lose it";
}

TEST_F(ModestyTest, WhoTookTheCoreComesFirstAgainAfterASecondOfLittleWork) {
  EXPECT_FALSE(After(1, 1));
  EXPECT_FALSE(After(100, 0.3)) << "its share of a core that others want too";
  EXPECT_FALSE(After(Modesty::kProbation - 1, 0.2));
  EXPECT_FALSE(After(1, 0.3)) << "the second begins anew";
  EXPECT_FALSE(After(Modesty::kProbation - 1, 0.2));
  EXPECT_TRUE(After(1, 0.2));
}

using RealtimeTest = testing::AsRootTest;

// Until `cpu_time` of this thread is used up, whatever the clock says meanwhile.
void Work(milliseconds cpu_time) {
  for (const auto end = ThreadCpuTime() + cpu_time; ThreadCpuTime() < end;) continue;
}

TEST_F(RealtimeTest, IsLostToTheOneWhoTakesTheCore) {
  EXPECT_TRUE(InChild([]() -> std::string {
    ModestRealtime urgency(true);
    urgency.Review(std::chrono::steady_clock::now());
    if (sched_getscheduler(0) != SCHED_FIFO) return "not first";
    Work(2 * Modesty::kWindow);
    urgency.Review(std::chrono::steady_clock::now());
    return sched_getscheduler(0) == SCHED_OTHER ? "" : "first still";
  }));
}

TEST_F(RealtimeTest, WhoMayNotRunsPromptly) {
  EXPECT_TRUE(InChild([]() -> std::string {
    if (const auto became = BecomeUser("nobody", ""); !became.ok()) return became.ToString();
    ModestRealtime urgency(true);
    urgency.Review(std::chrono::steady_clock::now());
    return sched_getscheduler(0) == SCHED_OTHER ? "" : "first";
  }));
}

TEST_F(RealtimeTest, IsKeptByAChangeOfUserAndEndedInTheBackground) {
  EXPECT_TRUE(InChild([]() -> std::string {
    const int before = Niceness();
    if (const auto realtime = RunRealtime(); !realtime.ok()) return realtime.ToString();
    if (const auto became = BecomeUser("nobody", ""); !became.ok()) return became.ToString();
    if (sched_getscheduler(0) != SCHED_FIFO) return "not in realtime";
    int policy = -1, niceness = -1;
    std::thread([&] {
      RunInBackground();
      policy = sched_getscheduler(0);
      niceness = Niceness();
    }).join();
    return policy == SCHED_OTHER && niceness == before + 10 ? "" : "not in the background";
  }));
}

TEST_F(RealtimeTest, WhoMayNotIsToldWhatToDo) {
  EXPECT_TRUE(InChild([]() -> std::string {
    if (const auto became = BecomeUser("nobody", ""); !became.ok()) return became.ToString();
    const absl::Status refused = RunRealtime();
    if (!absl::IsPermissionDenied(refused)) return "not refused";
    return refused.message().find("LimitRTPRIO=1") != std::string_view::npos ? "" : "no advice";
  }));
}

}  // namespace
}  // namespace perigee
