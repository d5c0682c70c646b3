#include "lib/service/service_manager.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <thread>

#include "gmock/gmock.h"
#include "lib/net/socket.h"

namespace perigee {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;

// A service manager that listens, on an abstract address that the kernel picks, until it goes.
class ServiceManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    socket_ = Socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socklen_t size = sizeof(sa_family_t);
    ASSERT_EQ(bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    size = sizeof(address);
    ASSERT_EQ(getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::string name(address.sun_path + 1, size - sizeof(sa_family_t) - 1);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }

  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }

  std::string Receive(int flags = 0) {
    std::array<char, 4096> buffer;
    const ssize_t size = recv(socket_.fd(), buffer.data(), buffer.size(), flags);
    return size < 0 ? "" : std::string(buffer.data(), static_cast<size_t>(size));
  }

  std::vector<std::string> ReceiveAll() {
    std::vector<std::string> all;
    for (std::string one = Receive(MSG_DONTWAIT); !one.empty(); one = Receive(MSG_DONTWAIT))
      all.push_back(one);
    return all;
  }

  Socket socket_;
  sigset_t mask_{};
};

HealthVerdict Alive() { return {}; }

absl::StatusOr<std::vector<std::string>> NothingNew() { return std::vector<std::string>(); }

// Stands there before anybody waits for it.
void Raise(int signal) { pthread_kill(pthread_self(), signal); }

TEST(ServiceMessages, AreAssignmentsOfOneLineEach) {
  EXPECT_EQ(ReadyMessage("answering"), "READY=1\nSTATUS=answering\n");
  EXPECT_EQ(ReloadingMessage(microseconds(1234567)),
            "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reloading\n");
  EXPECT_EQ(StoppingMessage("bye"), "STOPPING=1\nSTATUS=bye\n");
  EXPECT_EQ(AliveMessage(), "WATCHDOG=1\n");
}

TEST(ServiceMessages, AStatusCannotAssignAnything) {
  EXPECT_EQ(ReadyMessage("a\nMAINPID=1\r"), "READY=1\nSTATUS=a MAINPID=1 \n");
}

TEST_F(ServiceManagerTest, HearsOfALife) {
  StopSignal stop;
  Raise(SIGHUP);
  Raise(SIGTERM);
  EXPECT_EQ(ServeUntilStopped(stop, "answering", Alive, NothingNew), SIGTERM);
  EXPECT_THAT(ReceiveAll(),
              ElementsAre("READY=1\nSTATUS=answering\n",
                          MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=reloading\n"),
                          "READY=1\nSTATUS=answering\n", "STOPPING=1\nSTATUS=stopping on signal 15\n"));
}

TEST_F(ServiceManagerTest, HearsWhyAReloadWasRefused) {
  StopSignal stop;
  Raise(SIGHUP);
  Raise(SIGTERM);
  ServeUntilStopped(stop, "answering", Alive,
                    [] { return absl::InvalidArgumentError("cdn.textproto:3:1: no"); });
  EXPECT_EQ(ReceiveAll().at(2),
            "READY=1\nSTATUS=answering; the last reload was refused: cdn.textproto:3:1: no\n");
}

TEST_F(ServiceManagerTest, HearsAgainAndAgainThatAllIsAlive) {
  setenv("WATCHDOG_USEC", "2000", 1);
  StopSignal stop;
  std::thread manager([&] {
    for (int beats = 0; beats < 3;) beats += Receive() == AliveMessage() ? 1 : 0;
    kill(getpid(), SIGTERM);
  });
  EXPECT_EQ(ServeUntilStopped(stop, "answering", Alive, NothingNew), SIGTERM);
  manager.join();
}

TEST_F(ServiceManagerTest, HearsNothingWhileALoopIsStuck) {
  setenv("WATCHDOG_USEC", "2000", 1);
  StopSignal stop;
  int asked = 0;
  const auto stuck = [&asked]() -> HealthVerdict {
    if (++asked == 3) Raise(SIGTERM);
    return {.failures = {"worker 1 has been stuck for 6 s"}};
  };
  ServeUntilStopped(stop, "answering", stuck, NothingNew);
  EXPECT_THAT(ReceiveAll(),
              ElementsAre("READY=1\nSTATUS=answering\n", "STOPPING=1\nSTATUS=stopping on signal 15\n"));
}

TEST_F(ServiceManagerTest, WithoutAWatchdogThereIsNoBeat) {
  EXPECT_EQ(WatchdogInterval(), microseconds(0));
  StopSignal stop;
  Raise(SIGINT);
  ServeUntilStopped(stop, "answering", Alive, NothingNew);
  EXPECT_EQ(ReceiveAll().size(), 2u);
}

TEST_F(ServiceManagerTest, TheWatchdogHearsTwiceAsOftenAsItAsks) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(WatchdogInterval(), std::chrono::seconds(15));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(WatchdogInterval(), microseconds(0)) << "it is another process that is watched";
}

TEST_F(ServiceManagerTest, WithoutASocketNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  TellServiceManager(ReadyMessage("answering"));
  EXPECT_THAT(ReceiveAll(), ElementsAre());
}

}  // namespace
}  // namespace perigee
