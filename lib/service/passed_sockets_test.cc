#include "lib/service/passed_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstdlib>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "lib/service/testing/in_child.h"

namespace perigee {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InChild;

IpEndpoint At(std::string_view text) { return IpEndpoint::Parse(text).value(); }
IpAddress Address(std::string_view text) { return IpAddress::Parse(text).value(); }

const std::vector<IpAddress> kEverywhere = {Address("0.0.0.0"), Address("::")};

PassedSocket Udp(int fd, std::string_view endpoint, bool dual_stack = false) {
  return {fd, "dns.socket", Protocol::kUdp, At(endpoint), dual_stack};
}
PassedSocket Tcp(int fd, std::string_view endpoint, bool dual_stack = false) {
  return {fd, "dns.socket", Protocol::kTcp, At(endpoint), dual_stack};
}

// "udp 0.0.0.0:53 3,4": the fds that were passed for it.
std::vector<std::string> Words(const absl::StatusOr<std::vector<PortPlan>>& plans) {
  if (!plans.ok()) return {std::string(plans.status().message())};
  std::vector<std::string> words;
  for (const PortPlan& plan : *plans) {
    std::string text = plan.protocol == Protocol::kUdp ? "udp " : "tcp ";
    text += plan.endpoint.ToString();
    for (const int fd : plan.passed_fds) text += fmt::format(" {}", fd);
    words.push_back(text);
  }
  return words;
}

TEST(PlanPorts, WithoutPassedSocketsAllIsBound) {
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {})),
              ElementsAre("udp 0.0.0.0:53", "tcp 0.0.0.0:53", "udp [::]:53", "tcp [::]:53"));
  EXPECT_THAT(Words(PlanPorts({Address("127.0.0.1")}, 0, kEverywhere, {})),
              ElementsAre("udp 127.0.0.1:0", "tcp 127.0.0.1:0"));
}

TEST(PlanPorts, WithoutListenThePassedOnesAreServedAndNoOthers) {
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Udp(3, "127.0.0.1:53"), Tcp(4, "127.0.0.1:53")})),
              ElementsAre("udp 127.0.0.1:53 3", "tcp 127.0.0.1:53 4"));
}

TEST(PlanPorts, WhereOnlyOneOfUdpAndTcpWasPassedTheOtherIsBound) {
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Udp(3, "127.0.0.1:53")})),
              ElementsAre("udp 127.0.0.1:53 3", "tcp 127.0.0.1:53"));
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Tcp(3, "[::1]:53")})),
              ElementsAre("udp [::1]:53", "tcp [::1]:53 3"));
}

TEST(PlanPorts, EachListenAddressTakesItsPassedSocket) {
  EXPECT_THAT(
      Words(PlanPorts({Address("127.0.0.1"), Address("127.0.0.2")}, 53, kEverywhere,
                      {Tcp(3, "127.0.0.2:53"), Udp(4, "127.0.0.2:53")})),
      ElementsAre("udp 127.0.0.1:53", "tcp 127.0.0.1:53", "udp 127.0.0.2:53 4", "tcp 127.0.0.2:53 3"));
}

TEST(PlanPorts, ADualStackSocketServesBothFamilies) {
  const std::vector<PassedSocket> passed = {Udp(3, "[::]:53", true), Tcp(4, "[::]:53", true)};
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, passed)), ElementsAre("udp [::]:53 3", "tcp [::]:53 4"));
  EXPECT_THAT(Words(PlanPorts(kEverywhere, 53, kEverywhere, passed)),
              ElementsAre("udp [::]:53 3", "tcp [::]:53 4"));
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Udp(3, "[::]:53", true)})),
              ElementsAre("udp [::]:53 3", "tcp [::]:53", "tcp 0.0.0.0:53"));
}

TEST(PlanPorts, ASocketOfIpv6AloneLeavesIpv4ToBeBound) {
  EXPECT_THAT(Words(PlanPorts(kEverywhere, 53, kEverywhere, {Udp(3, "[::]:53")})),
              ElementsAre("udp 0.0.0.0:53", "tcp 0.0.0.0:53", "udp [::]:53 3", "tcp [::]:53"));
}

TEST(PlanPorts, SocketsThatShareAPortServeItTogether) {
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Udp(3, "127.0.0.1:53"), Udp(5, "127.0.0.1:53")})),
              ElementsAre("udp 127.0.0.1:53 3 5", "tcp 127.0.0.1:53"));
}

TEST(PlanPorts, PortZeroTakesPassedSocketsOfAnyPort) {
  EXPECT_THAT(Words(PlanPorts({}, 0, kEverywhere, {Udp(3, "127.0.0.1:5300"), Tcp(4, "127.0.0.1:5300")})),
              ElementsAre("udp 127.0.0.1:5300 3", "tcp 127.0.0.1:5300 4"));
}

TEST(PlanPorts, APassedSocketThatNobodyAsksForIsNamed) {
  constexpr char kWhat[] = "UDP 127.0.0.1:5300 (fd 3, dns.socket)";
  EXPECT_THAT(Words(PlanPorts({}, 53, kEverywhere, {Udp(3, "127.0.0.1:5300")})),
              ElementsAre(HasSubstr(kWhat)));
  EXPECT_THAT(Words(PlanPorts({Address("127.0.0.2")}, 5300, kEverywhere, {Udp(3, "127.0.0.1:5300")})),
              ElementsAre(HasSubstr(kWhat)));
}

// In a child, as the process that they are passed to.
void Pass(std::initializer_list<int> fds, const char* names = "") {
  int to = 100;  // out of the way of what is to be replaced
  for (const int fd : fds) dup2(fd, to++);
  for (int i = 0; i < to - 100; ++i) dup2(100 + i, SD_LISTEN_FDS_START + i);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", std::to_string(fds.size()).c_str(), 1);
  setenv("LISTEN_FDNAMES", names, 1);
}

int Bound(std::string_view address, int type, bool listening = false) {
  sockaddr_storage storage;
  const IpEndpoint endpoint = At(address);
  const socklen_t size = endpoint.address.ToSockaddr(endpoint.port, &storage);
  const int fd = socket(storage.ss_family, type, 0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0) return -1;
  if (listening && listen(fd, 1) != 0) return -1;
  return fd;
}

std::string MessageOf(std::initializer_list<int> fds) {
  Pass(fds, "odd.socket");
  return std::string(TakePassedSockets().status().message());
}

std::string Expect(bool holds, const std::string& otherwise) { return holds ? "" : otherwise + "\n"; }

TEST(TakePassedSockets, FindsWhatTheyAreAndTakesThemOutOfTheEnvironment) {
  EXPECT_TRUE(InChild([]() -> std::string {
    Pass({Bound("127.0.0.1:0", SOCK_DGRAM), Bound("[::]:0", SOCK_STREAM, true)}, "a.socket:b.socket");
    const auto sockets = TakePassedSockets();
    if (!sockets.ok()) return sockets.status().ToString();
    if (sockets->size() != 2) return "not two";
    const PassedSocket &udp = sockets->at(0), &tcp = sockets->at(1);
    return Expect(udp.protocol == Protocol::kUdp && !udp.dual_stack && udp.name == "a.socket",
                  Describe(udp)) +
           Expect(udp.endpoint.address == Address("127.0.0.1") && udp.endpoint.port != 0, Describe(udp)) +
           Expect(tcp.protocol == Protocol::kTcp && tcp.dual_stack && tcp.name == "b.socket", Describe(tcp)) +
           Expect((fcntl(udp.fd, F_GETFD) & FD_CLOEXEC) != 0, "programs that we start would inherit it") +
           Expect(getenv("LISTEN_FDS") == nullptr, "LISTEN_FDS is left");
  }));
}

TEST(TakePassedSockets, ThereAreNoneWithoutOrForAnotherProcess) {
  EXPECT_TRUE(InChild([]() -> std::string {
    auto sockets = TakePassedSockets();
    if (!sockets.ok() || !sockets->empty()) return "without LISTEN_FDS";
    Pass({Bound("127.0.0.1:0", SOCK_DGRAM)});
    setenv("LISTEN_PID", "1", 1);
    sockets = TakePassedSockets();
    return sockets.ok() && sockets->empty() ? "" : "for another";
  }));
}

TEST(TakePassedSockets, NamesTheOneThatIsOfAWrongKind) {
  struct Case {
    std::function<int()> make;
    std::string message;
  };
  const Case cases[] = {
      {[] { return socket(AF_UNIX, SOCK_STREAM, 0); }, "is a unix socket"},
      {[] { return Bound("127.0.0.1:0", SOCK_STREAM); }, "is a TCP socket that does not listen"},
      {[] { return socket(AF_INET, SOCK_DGRAM, 0); }, "is a UDP socket that is not bound"},
      {[] { return open("/dev/null", O_RDONLY); }, "is not a socket"},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(InChild([&]() -> std::string {
      const std::string message = MessageOf({c.make()});
      const std::string wanted = "the passed socket (fd 3, odd.socket) " + c.message;
      return message.starts_with(wanted) ? "" : message + "\n";
    })) << c.message;
  }
}

TEST(TakePassedSockets, RefusesAMalformedCount) {
  EXPECT_TRUE(InChild([]() -> std::string {
    Pass({});
    setenv("LISTEN_FDS", "many", 1);
    return absl::IsInvalidArgument(TakePassedSockets().status()) ? "" : "taken";
  }));
}

}  // namespace
}  // namespace perigee
