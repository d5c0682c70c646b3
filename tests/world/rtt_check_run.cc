// The pinging half of rtt_check.h: raw ICMP sockets opened in each host's namespace, times from the kernel.
#include <linux/icmp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/base/address.h"
#include "tests/world/emulator.h"
#include "tests/world/namespaces.h"
#include "tests/world/rtt_check.h"
#include "tests/world/system.h"

namespace perigee::world {
namespace {

constexpr std::chrono::milliseconds kGraceAfterLongestRtt{500};
constexpr int kMaxEvents = 128;
constexpr uint32_t kMagic = 0x70676368;
constexpr size_t kIpv4Header = 20;  // raw sockets in the hosts send no options

struct Echo {
  icmphdr header{};
  uint32_t magic = kMagic;
  uint32_t pair = 0;
  int64_t sent_ns = 0;  // CLOCK_REALTIME, as receive timestamps are
};

int64_t WallNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

uint16_t Checksum(const Echo& echo) {
  std::array<uint16_t, sizeof(Echo) / 2> words{};
  std::memcpy(words.data(), &echo, sizeof echo);
  uint32_t sum = 0;
  for (const uint16_t word : words) sum += word;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

absl::StatusOr<UniqueFd> OpenSocket() {
  UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP));
  if (!fd.valid()) return ErrnoStatus("opening a raw socket");
  const int on = 1, buffer = 4 << 20;
  const icmp_filter only_replies{.data = ~(1U << ICMP_ECHOREPLY)};
  setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &only_replies, sizeof only_replies);
  return fd;
}

class Pinger {
 public:
  explicit Pinger(std::vector<Pair> pairs) : pairs_(pairs), report_(std::move(pairs)) {}

  absl::Status Open(const CheckedWorld& world) {
    const auto home = NamespaceScope::Here();
    if (!home.ok()) return home.status();
    epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    for (size_t i = 0; i < world.hosts.size(); ++i) {
      if (auto status = EnterNamespace(world.hosts[i].name); !status.ok()) return status;
      auto socket = OpenSocket();
      if (!socket.ok()) return socket.status();
      const auto address = IpAddress::Parse(world.hosts[i].ipv4);
      if (!address.ok()) return address.status();
      sockets_.push_back(*std::move(socket));
      address->ToSockaddr(0, &targets_.emplace_back());
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_[i].get(), &event) != 0)
        return ErrnoStatus("epoll_ctl");
    }
    return absl::OkStatus();
  }

  // Sends `count` echoes evenly over the duration, pair after pair, and takes answers meanwhile and then
  // until `last`.
  CheckReport Run(size_t count, std::chrono::nanoseconds interval, std::chrono::nanoseconds last) {
    const MonoTime start = clock_.Now();
    for (size_t i = 0; i < count; ++i) {
      ReceiveUntil(start + interval * static_cast<int64_t>(i));
      Send(i % pairs_.size());
    }
    const MonoTime end = clock_.Now() + last;
    while (report_.received() < report_.sent() && clock_.Now() < end) ReceiveUntil(clock_.Now() + kPollStep);
    return std::move(report_);
  }

 private:
  static constexpr std::chrono::milliseconds kPollStep{5};

  void Send(size_t pair) {
    Echo echo;
    echo.header.type = ICMP_ECHO;
    echo.pair = static_cast<uint32_t>(pair);
    echo.header.un.echo.sequence = static_cast<uint16_t>(pair);
    echo.sent_ns = WallNs();
    echo.header.checksum = Checksum(echo);
    const sockaddr_storage& target = targets_[pairs_[pair].to];
    const auto* address = reinterpret_cast<const sockaddr*>(&target);
    // An echo that cannot be sent counts as one without an answer.
    sendto(sockets_[pairs_[pair].from].get(), &echo, sizeof echo, 0, address, sizeof(sockaddr_in));
    report_.Sent();
  }

  void ReceiveUntil(MonoTime deadline) {
    while (true) {
      const auto left = std::chrono::nanoseconds(deadline - clock_.Now()).count();
      const timespec wait{.tv_sec = left > 0 ? left / 1'000'000'000 : 0,
                          .tv_nsec = left > 0 ? left % 1'000'000'000 : 0};
      std::array<epoll_event, kMaxEvents> events{};
      const int n = epoll_pwait2(epoll_.get(), events.data(), kMaxEvents, &wait, nullptr);
      for (int i = 0; i < n; ++i) Receive(sockets_[events[i].data.u64].get());
      if (left <= 0) return;
    }
  }

  void Receive(int socket) {
    alignas(cmsghdr) std::array<char, 64> control;
    std::array<uint8_t, kIpv4Header + sizeof(Echo)> packet;
    iovec bytes{.iov_base = packet.data(), .iov_len = packet.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = recvmsg(socket, &message, 0);
    const cmsghdr* stamp = n == static_cast<ssize_t>(packet.size()) ? CMSG_FIRSTHDR(&message) : nullptr;
    if (stamp == nullptr || stamp->cmsg_type != SCM_TIMESTAMPNS) return;
    timespec received{};
    std::memcpy(&received, CMSG_DATA(stamp), sizeof received);
    Echo echo;
    std::memcpy(&echo, &packet[kIpv4Header], sizeof echo);
    if (echo.magic != kMagic || echo.pair >= pairs_.size()) return;
    const int64_t received_ns = received.tv_sec * int64_t{1'000'000'000} + received.tv_nsec;
    report_.Received(echo.pair, std::chrono::nanoseconds(received_ns - echo.sent_ns));
  }

  std::vector<Pair> pairs_;
  CheckReport report_;
  SystemClock clock_;
  UniqueFd epoll_;
  std::vector<UniqueFd> sockets_;
  std::vector<sockaddr_storage> targets_;
};

Rtt LongestRtt(const std::vector<Pair>& pairs) {
  Rtt longest{};
  for (const Pair& pair : pairs) longest = std::max(longest, pair.configured);
  return longest;
}

}  // namespace

absl::StatusOr<CheckReport> RunCheck(const CheckedWorld& world, const CheckOptions& options) {
  const std::vector<Pair> pairs = PairsToPing(world);
  if (pairs.empty()) return CheckReport(pairs);
  Pinger pinger(pairs);
  if (auto status = pinger.Open(world); !status.ok()) return status;
  // Below the emulator, so as not to measure this process' own turns on the CPU; without the right it still
  // works.
  EnterRealTime(kRealTimePriority / 2).IgnoreError();
  const double per_second = std::min<double>(
      static_cast<double>(pairs.size()) * options.echoes_per_pair_per_second, kMaxEchoesPerSecond);
  const auto interval = std::chrono::nanoseconds(static_cast<int64_t>(1e9 / per_second));
  const auto count = std::max<size_t>(pairs.size(), static_cast<size_t>(options.duration / interval));
  return pinger.Run(count, interval, LongestRtt(pairs) + kGraceAfterLongestRtt);
}

}  // namespace perigee::world
