#include "lib/service/take_over.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace perigee {
namespace {

constexpr std::chrono::seconds kPatience(5);
constexpr char kThis[] = "service_test";

// A process of this program that sleeps until it is told to stop, or never heeds that.
class Child {
 public:
  explicit Child(bool heeds) {
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    pid_ = fork();
    if (pid_ == 0) {
      if (heeds) sigprocmask(SIG_UNBLOCK, &term, nullptr);
      for (;;) pause();
    }
    sigprocmask(SIG_SETMASK, &before, nullptr);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(TakeOver, EndsTheServerAndWaitsForItsEnd) {
  const Child server(/*heeds=*/true);
  EXPECT_TRUE(EndAndAwait(server.pid(), kThis, kPatience).ok());
  int status = 0;
  EXPECT_EQ(waitpid(server.pid(), &status, WNOHANG), server.pid());
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(TakeOver, GivesUpOnOneThatDoesNotEnd) {
  const Child server(/*heeds=*/false);
  EXPECT_EQ(EndAndAwait(server.pid(), kThis, std::chrono::milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(TakeOver, LeavesOtherProgramsAlone) {
  const Child other(/*heeds=*/true);
  EXPECT_EQ(EndAndAwait(other.pid(), "httpserver", kPatience).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(waitpid(other.pid(), nullptr, WNOHANG), 0) << "it still runs";
}

TEST(TakeOver, SaysThatThereIsNoSuchProcess) {
  pid_t gone = 0;
  {
    const Child server(/*heeds=*/true);
    gone = server.pid();
  }
  EXPECT_EQ(EndAndAwait(gone, kThis, kPatience).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace perigee
