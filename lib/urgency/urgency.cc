#include "lib/urgency/urgency.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace perigee {
namespace {

// Each step of niceness is a factor of 1.25 in the share: ten are 9.5 (sched(7)).
constexpr int kBackgroundNiceness = 10;
// The shortest that Linux takes (kernel/sched/syscalls.c).
constexpr uint64_t kPromptSliceNs = 100'000;
constexpr int kRealtimePriority = 1;

// Of linux/sched/types.h, which defines sched_param a second time beside glibc's.
struct SchedAttr {
  uint32_t size = sizeof(SchedAttr);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};

bool Schedule(const SchedAttr& attributes) { return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0; }

int Niceness() { return getpriority(PRIO_PROCESS, 0); }

}  // namespace

std::chrono::nanoseconds ThreadCpuTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void RunPromptly() { Schedule({.nice = Niceness(), .runtime_ns = kPromptSliceNs}); }

void RunInBackground() {
  const int niceness = Niceness() + kBackgroundNiceness;
  // RestrictRealtime= (systemd.exec(5)) refuses the first for what it could do.
  if (!Schedule({.nice = niceness})) setpriority(PRIO_PROCESS, 0, niceness);
}

absl::Status RunRealtime() {
  if (Schedule({.policy = SCHED_FIFO, .priority = kRealtimePriority})) return absl::OkStatus();
  return absl::PermissionDeniedError(
      "realtime: no right to it: start as root, or set LimitRTPRIO=1 in the systemd unit "
      "(docker run --ulimit rtprio=1)");
}

void KeepRealtime() {
  const rlimit limit{.rlim_cur = kRealtimePriority, .rlim_max = kRealtimePriority};
  setrlimit(RLIMIT_RTPRIO, &limit);
}

bool Modesty::MayComeFirst(MonoTime now, std::chrono::nanoseconds cpu_time) {
  const double used =
      std::chrono::duration<double>(cpu_time - last_cpu_time_) / std::chrono::duration<double>(now - last_);
  last_ = now;
  last_cpu_time_ = cpu_time;
  if (used > kMostOfCore) {
    probation_ = kProbation;
  } else if (probation_ > 0) {
    probation_ = used < kLittleOfCore ? probation_ - 1 : kProbation;
  }
  return probation_ == 0;
}

ModestRealtime::ModestRealtime(bool wanted) : first_(wanted && RunRealtime().ok()) {
  next_review_ = first_ ? MonoTime::min() : MonoTime::max();
  if (!first_) RunPromptly();
}

void ModestRealtime::ReviewNow(MonoTime now) {
  next_review_ = now + Modesty::kWindow;
  const bool first = modesty_.MayComeFirst(now, ThreadCpuTime());
  if (first == first_) return;
  if (first) {
    first_ = RunRealtime().ok();
  } else {
    RunPromptly();
    first_ = false;
  }
}

}  // namespace perigee
