// Starts the real prober in the testing world, and calls it: what every integration test stands on.
#pragma once

#include <fcntl.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lib/rpc/health_probe.h"
#include "perigee/v1/prober.grpc.pb.h"
#include "services/prober/last_hop.h"
#include "services/prober/testing_world.h"

namespace perigee {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

inline constexpr const char* kControl = "127.0.0.1:4301";  // in a network namespace of our own
inline constexpr milliseconds kSilentAfter{300};
// What a client costs that answers nothing, and before whom nothing does: an echo, three ports, and the first
// hops.
inline constexpr uint32_t kSilentPackets = 1 + 3 + kFirstHopProbes;

inline std::string World(const char* network, int host) { return fmt::format("{}{}", network, host); }

// Every process whose parent is `parent`.
inline std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    if (!std::getline(file, stat)) continue;
    int pid = 0, ppid = 0;
    char state = 0;
    std::sscanf(stat.c_str(), "%d", &pid);
    std::sscanf(stat.c_str() + stat.rfind(')') + 1, " %c %d", &state, &ppid);
    if (ppid == parent && state != 'Z') children.push_back(pid);
  }
  return children;
}

// Of scamper's socket: the argument after -U.
inline std::filesystem::path FolderOf(pid_t scamper) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", scamper));
  std::string argument;
  while (std::getline(file, argument, '\0') && argument != "-U") {
  }
  std::getline(file, argument, '\0');
  return std::filesystem::path(argument).parent_path();
}

inline bool IsAlive(pid_t pid) { return kill(pid, 0) == 0; }

// Asks again and again, each time through the kernel or an RPC, so no sleep is needed.
inline bool Eventually(const std::function<bool()>& condition, milliseconds limit = milliseconds(5000)) {
  const auto end = steady_clock::now() + limit;
  while (!condition()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const std::string& stderr_to = "/dev/null") {
    arguments.insert(arguments.begin(), PROBER_BINARY);
    std::vector<char*> argv;
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, stderr_to.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    EXPECT_EQ(posix_spawn(&pid_, PROBER_BINARY, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    if (running()) Stop(SIGTERM);
  }
  bool running() const { return pid_ > 0; }
  int Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int Stop(int signal) {
    kill(pid_, signal);
    return Wait();
  }
  std::optional<pid_t> Watchdog() const {
    const auto children = ChildrenOf(pid_);
    return children.empty() ? std::nullopt : std::optional(children.front());
  }
  std::optional<pid_t> Scamper() const {
    const auto watchdog = Watchdog();
    const auto children = watchdog ? ChildrenOf(*watchdog) : std::vector<pid_t>{};
    return children.empty() ? std::nullopt : std::optional(children.front());
  }

 private:
  pid_t pid_ = -1;
};

struct Call {
  grpc::ClientContext context;
  v1::MeasureRequest request;
  v1::MeasureResponse response;
  std::promise<grpc::Status> status;
  steady_clock::time_point sent, answered;
  milliseconds took() const { return std::chrono::duration_cast<milliseconds>(answered - sent); }
};

class ProberTest : public testing::Test {
 protected:
  void SetUp() override {
    fleet_ = testing::TempDir() + "/prober_integration.textproto";
    std::ofstream(fleet_) << R"(probe_policy { allow_special: "198.18.0.0/15" allow_special: "fd00::/8"
      opt_out: "198.18.1.60" max_probes_per_second: 100000 max_probes_per_prefix_per_second: 10000 })";
    StartProber();
  }

  void TearDown() override {
    if (prober_ && prober_->running()) {
      EXPECT_EQ(prober_->Stop(SIGTERM), 0) << "a sanitizer's complaint shows here too";
    }
  }

  void StartProber(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--config",          fleet_,
                                       "--silent-after-ms", fmt::to_string(kSilentAfter.count()),
                                       "--log-level",       "debug"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    prober_.emplace(arguments, log_);
    grpc::ChannelArguments impatient;
    impatient.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
    impatient.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    impatient.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
    channel_ = grpc::CreateCustomChannel(kControl, grpc::InsecureChannelCredentials(), impatient);
    stub_ = v1::Prober::NewStub(channel_);
    health_ = std::make_unique<HealthProbe>(channel_);
    ASSERT_TRUE(channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5)));
    ASSERT_TRUE(Eventually([&] { return Health().serving; }));
  }

  HealthReport Health() {
    std::promise<HealthReport> report;
    health_->Check(milliseconds(2000), [&](HealthReport r) { report.set_value(r); });
    return report.get_future().get();
  }

  std::unique_ptr<Call> Start(const std::string& address, uint32_t probes = 0, milliseconds deadline = {},
                              const std::vector<uint32_t>& ports = {}) {
    auto call = std::make_unique<Call>();
    call->request.set_address(address);
    call->request.set_probes(probes);
    for (const uint32_t port : ports) call->request.add_tcp_ports(port);
    if (deadline.count() > 0) call->context.set_deadline(std::chrono::system_clock::now() + deadline);
    call->sent = steady_clock::now();
    stub_->async()->Measure(&call->context, &call->request, &call->response,
                            [c = call.get()](grpc::Status s) {
                              c->answered = steady_clock::now();
                              c->status.set_value(std::move(s));
                            });
    return call;
  }

  std::pair<grpc::Status, v1::MeasureResponse> Measure(const std::string& address, uint32_t probes = 0,
                                                       milliseconds deadline = {},
                                                       const std::vector<uint32_t>& ports = {}) {
    auto call = Start(address, probes, deadline, std::move(ports));
    auto status = call->status.get_future().get();
    return {std::move(status), call->response};
  }

  std::string log_ = testing::TempDir() + "/prober_integration.log";
  std::string fleet_;
  std::optional<Program> prober_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Prober::Stub> stub_;
  std::unique_ptr<HealthProbe> health_;
};

}  // namespace perigee
