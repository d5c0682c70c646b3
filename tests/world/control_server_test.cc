#include "tests/world/control_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/world/control_protocol.h"

namespace perigee::world {
namespace {

// A server on a thread of its own, until the end of the test.
class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "world-control-" + std::to_string(getpid());
    auto server = ControlServer::Listen(path_);
    ASSERT_TRUE(server.ok()) << server.status();
    thread_ = std::thread([this, own = *std::move(server)]() mutable {
      while (!stop_) {
        pollfd readable{.fd = own.epoll_fd(), .events = POLLIN};
        poll(&readable, 1, 10);
        own.Serve([](std::string_view request) -> std::string {
          if (request == "fail") return "ERR because\n";
          if (request == "large") return fmt::format("{}\nOK\n", std::string(8 << 20, 'x'));
          return std::string(request) + "\nOK\n";
        });
      }
    });
  }
  void TearDown() override {
    stop_ = true;
    thread_.join();
    unlink(path_.c_str());
  }

  UniqueFd Connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  std::string path_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_F(ControlServerTest, AnswersRefusesAndSendsLargeAnswersWhole) {
  EXPECT_EQ(*AskWorld(path_, "hello"), "hello\n");
  const auto refused = AskWorld(path_, "fail");
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_EQ(refused.status().message(), "because");
  EXPECT_EQ(AskWorld(path_, "large")->size(), (8u << 20) + 1);
}

TEST_F(ControlServerTest, AnswersRequestsThatCameTogether) {
  const UniqueFd fd = Connect();
  send(fd.get(), "a\nb\n", 4, MSG_NOSIGNAL);
  std::string answers;
  for (char byte = 0; answers.size() < 10 && recv(fd.get(), &byte, 1, 0) == 1;) answers += byte;
  EXPECT_EQ(answers, "a\nOK\nb\nOK\n");
}

TEST_F(ControlServerTest, ServesOthersWhileOneIsSilent) {
  const UniqueFd silent = Connect();
  EXPECT_EQ(*AskWorld(path_, "hello"), "hello\n");
}

TEST_F(ControlServerTest, ClosesOnARequestWithoutEnd) {
  const UniqueFd fd = Connect();
  const std::string endless(kMaxRequestBytes + 1, 'x');
  send(fd.get(), endless.data(), endless.size(), MSG_NOSIGNAL);
  char byte = 0;
  EXPECT_LE(recv(fd.get(), &byte, 1, 0), 0);
}

TEST_F(ControlServerTest, ClosesAClientTooMany) {
  std::vector<UniqueFd> clients;
  for (size_t i = 0; i < kMaxControlClients; ++i) clients.push_back(Connect());
  const UniqueFd one_more = Connect();
  char byte = 0;
  EXPECT_EQ(recv(one_more.get(), &byte, 1, 0), 0);
  clients.clear();
  // Its place is free as soon as the server has seen one of them go.
  absl::StatusOr<std::string> answer = AskWorld(path_, "hello");
  for (int i = 0; i < 100 && !answer.ok(); ++i) answer = AskWorld(path_, "hello");
  EXPECT_TRUE(answer.ok()) << answer.status();
}

TEST(AskWorld, SaysThatNoWorldRuns) {
  const auto answer = AskWorld("/nonexistent/control.sock", "hosts");
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
}

}  // namespace
}  // namespace perigee::world
