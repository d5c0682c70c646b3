#include "services/prober/hop_rung.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace perigee {
namespace {

using boost::asio::ip::udp;

// An error that is waiting already is reported in place of sending.
constexpr int kSendAttempts = 3;

MonoTime Now() { return std::chrono::steady_clock::now(); }

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// The address of whoever sent an ICMP error, from the ancillary data of a message; nothing when there is
// none.
std::optional<IpAddress> OffenderIn(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    const bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    const bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    const size_t address = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if ((!v4 && !v6) || part->cmsg_len < CMSG_LEN(sizeof(sock_extended_err) + address)) continue;
    sock_extended_err error;
    std::memcpy(&error, CMSG_DATA(part), sizeof error);
    if (error.ee_origin != (v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6)) continue;
    sockaddr_storage offender{};
    std::memcpy(&offender, CMSG_DATA(part) + sizeof error, address);
    if (const auto from = IpAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&offender)); from.ok()) {
      return *from;
    }
  }
  return std::nullopt;
}

uint16_t PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                            : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

}  // namespace

HopRung::HopRung(boost::asio::io_context& io, const IpAddress& client, OnReply on_reply)
    : client_(client), on_reply_(std::move(on_reply)), socket_(io) {
  if (Open()) Await();
}

bool HopRung::Open() {
  boost::system::error_code error;
  socket_.open(client_.is_v4() ? udp::v4() : udp::v6(), error);
  return !error && (client_.is_v4() ? SetOption(socket_.native_handle(), IPPROTO_IP, IP_RECVERR, 1)
                                    : SetOption(socket_.native_handle(), IPPROTO_IPV6, IPV6_RECVERR, 1));
}

uint32_t HopRung::Send(std::span<const uint8_t> hops) {
  return static_cast<uint32_t>(
      std::count_if(hops.begin(), hops.end(), [this](uint8_t ttl) { return SendOne(ttl); }));
}

bool HopRung::SendOne(uint8_t ttl) {
  const int fd = socket_.native_handle();
  const bool set = client_.is_v4() ? SetOption(fd, IPPROTO_IP, IP_TTL, ttl)
                                   : SetOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
  if (!set) return false;
  sockaddr_storage to;
  const socklen_t length = client_.ToSockaddr(static_cast<uint16_t>(kHopPort + ttl), &to);
  for (int attempt = 0; attempt < kSendAttempts; ++attempt) {
    const MonoTime now = Now();
    if (sendto(fd, nullptr, 0, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), length) < 0) continue;
    sent_at_[ttl] = now;
    return true;
  }
  return false;
}

void HopRung::Await() {
  socket_.async_wait(udp::socket::wait_error, life_.Guard([this](const boost::system::error_code& error) {
    if (error) return;
    ReadErrors();
    if (answers_ < kMaxHopAnswers) Await();
  }));
}

void HopRung::ReadErrors() {
  for (bool more = true; more && answers_ < kMaxHopAnswers;) {
    if (const auto reply = ReadError(&more)) on_reply_(*reply);
  }
}

// Nothing, too, for an error that no router sent or that is of no datagram of ours.
std::optional<HopReply> HopRung::ReadError(bool* more) {
  sockaddr_storage to{};  // where to the datagram went
  alignas(cmsghdr) std::array<char, 512> ancillary;
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  *more = recvmsg(socket_.native_handle(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0;
  if (!*more) return std::nullopt;
  const MonoTime now = Now();
  ++answers_;
  const auto destination = IpAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&to));
  const auto offender = OffenderIn(message);
  const int ttl = PortOf(to) - kHopPort;
  if (!offender || !destination.ok() || *destination != client_) return std::nullopt;
  if (ttl < 1 || ttl > kMaxHop || !sent_at_[static_cast<size_t>(ttl)]) return std::nullopt;
  const auto rtt = std::chrono::duration_cast<Rtt>(now - *sent_at_[static_cast<size_t>(ttl)]);
  return HopReply{static_cast<uint8_t>(ttl), *offender, rtt};
}

}  // namespace perigee
