#include "tests/world/emulator.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "tests/world/control_protocol.h"
#include "tests/world/host_setup.h"
#include "tests/world/namespaces.h"

namespace perigee::world {
namespace {

// Tokens of the epoll loop; the smaller ones are hosts.
constexpr uint32_t kTimer = kMaxHosts, kControl = kMaxHosts + 1, kSignal = kMaxHosts + 2;
constexpr int kMaxEvents = 128;

MonoTime Now() { return std::chrono::steady_clock::now(); }

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Emulator::Emulator(World world, uint64_t seed, ControlServer control)
    : world_(std::move(world)), fabric_(world_, seed), control_(std::move(control)) {}

// The kernel takes some 20 ms to let go of a device, nearly all of it waiting; so all wait at the same time.
Emulator::~Emulator() {
  std::vector<std::thread> closers;
  for (UniqueFd& tap : taps_) closers.emplace_back([&tap] { tap = UniqueFd(); });
  for (std::thread& closer : closers) closer.join();
}

absl::StatusOr<Emulator> Emulator::BringUp(World world, uint64_t seed, ControlServer control) {
  Emulator emulator(std::move(world), seed, std::move(control));
  const auto home = NamespaceScope::Here();
  if (!home.ok()) return home.status();
  for (size_t i = 0; i < emulator.world_.hosts().size(); ++i) {
    auto tap = BringUpHost(emulator.world_.hosts()[i], static_cast<HostId>(i));
    if (!tap.ok()) {
      return absl::Status(tap.status().code(),
                          emulator.world_.hosts()[i].name + ": " + std::string(tap.status().message()));
    }
    emulator.taps_.push_back(*std::move(tap));
  }
  if (auto status = emulator.OpenDescriptors(); !status.ok()) return status;
  return emulator;
}

absl::Status Emulator::OpenDescriptors() {
  const sigset_t stop = StopSignals();
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  timer_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  signals_ = UniqueFd(signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!epoll_.valid() || !timer_.valid() || !signals_.valid()) return ErrnoStatus("opening descriptors");
  absl::Status status = absl::OkStatus();
  for (size_t i = 0; i < taps_.size(); ++i) status.Update(Watch(taps_[i].get(), static_cast<uint32_t>(i)));
  status.Update(Watch(timer_.get(), kTimer));
  status.Update(Watch(control_.epoll_fd(), kControl));
  status.Update(Watch(signals_.get(), kSignal));
  return status;
}

absl::Status Emulator::Watch(int fd, uint32_t token) {
  epoll_event event{.events = EPOLLIN, .data = {.u32 = token}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? absl::OkStatus()
                                                                 : ErrnoStatus("epoll_ctl");
}

absl::Status Emulator::Run() {
  std::array<epoll_event, kMaxEvents> events{};
  while (true) {
    const int count = epoll_wait(epoll_.get(), events.data(), kMaxEvents, -1);
    if (count < 0 && errno != EINTR) return ErrnoStatus("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (!Dispatch(events[i].data.u32)) return absl::OkStatus();
      Deliver();
    }
    ArmTimer();
  }
}

bool Emulator::Dispatch(uint32_t token) {
  switch (token) {
    case kSignal:
      return false;
    case kControl:
      ServeControl();
      return true;
    case kTimer: {
      uint64_t expirations = 0;
      if (read(timer_.get(), &expirations, sizeof expirations) > 0) armed_ = MonoTime::max();
      return true;
    }
    default:
      ReadFrames(static_cast<HostId>(token));
      return true;
  }
}

void Emulator::ReadFrames(HostId host) {
  std::array<uint8_t, kMaxFrame> frame;
  for (int i = 0; i < kReadBatch; ++i) {
    const ssize_t n = read(taps_[Index(host)].get(), frame.data(), frame.size());
    if (n <= 0) return;
    fabric_.Receive(host, std::span(frame).first(static_cast<size_t>(n)), Now());
  }
}

void Emulator::Deliver() {
  fabric_.DeliverDue(Now(), [this](HostId host, std::span<const uint8_t> frame) {
    // Like a wire: what the host's kernel does not take is gone, and TCP or the application finds out.
    [[maybe_unused]] const ssize_t taken = write(taps_[Index(host)].get(), frame.data(), frame.size());
  });
}

void Emulator::ArmTimer() {
  const MonoTime next = fabric_.NextDue().value_or(MonoTime::max());
  // A timer that rings early costs one wake-up, so it is only ever moved forward.
  if (next >= armed_) return;
  armed_ = next;
  const int64_t ns = std::chrono::nanoseconds(next.time_since_epoch()).count();
  const itimerspec when{.it_interval = {},
                        .it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000}};
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Emulator::ServeControl() {
  control_.Serve([this](std::string_view request) { return Answer(request, world_, fabric_); });
}

absl::Status EnterRealTime(int priority) {
  prctl(PR_SET_TIMERSLACK, 1);
  const sched_param parameters{.sched_priority = priority};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0)
    return ErrnoStatus("SCHED_FIFO");
  return absl::OkStatus();
}

}  // namespace perigee::world
