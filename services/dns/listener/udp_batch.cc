#include "services/dns/listener/udp_batch.h"

#include <algorithm>
#include <cerrno>

namespace perigee::dns {

void ReplyPath::FreeInterface() {
  if (control_size == 0) return;
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control_size;
  cmsghdr* message = CMSG_FIRSTHDR(&header);
  if (message == nullptr) return;
  if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO) {
    reinterpret_cast<in_pktinfo*>(CMSG_DATA(message))->ipi_ifindex = 0;
  } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO) {
    auto* info = reinterpret_cast<in6_pktinfo*>(CMSG_DATA(message));
    if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
  }
}

msghdr ReplyPath::Header(iovec* data) {
  msghdr header{};
  header.msg_name = &peer;
  header.msg_namelen = peer_size;
  header.msg_iov = data;
  header.msg_iovlen = 1;
  header.msg_control = control_size == 0 ? nullptr : control.data();
  header.msg_controllen = control_size;
  return header;
}

UdpBatch::UdpBatch() {
  for (size_t i = 0; i < kSize; ++i) {
    headers_[i].msg_hdr = paths_[i].Header(&io_[i]);
    headers_[i].msg_hdr.msg_control = paths_[i].control.data();
    Rearm(i);
  }
}

// The kernel has overwritten the sizes, and an answer may have taken the query's place.
void UdpBatch::Rearm(size_t i) {
  io_[i] = {queries_[i].data(), kMaxQuerySize};
  headers_[i].msg_hdr.msg_namelen = sizeof(paths_[i].peer);
  headers_[i].msg_hdr.msg_controllen = paths_[i].control.size();
}

int UdpBatch::Receive(int fd) {
  for (size_t i = 0; i < used_; ++i) Rearm(i);
  used_ = answered_ = answered_size_ = 0;
  const int count = recvmmsg(fd, headers_.data(), kSize, MSG_WAITFORONE, nullptr);
  for (int i = 0; i < count; ++i, ++used_) {
    path(i).peer_size = headers_[used_].msg_hdr.msg_namelen;
    path(i).control_size = headers_[used_].msg_hdr.msg_controllen;
    path(i).FreeInterface();
  }
  return count;
}

std::span<const uint8_t> UdpBatch::query(int i) const {
  const size_t n = static_cast<size_t>(i);
  return std::span(queries_[n]).first(headers_[n].msg_len);
}

void UdpBatch::AddAnswer(int i, size_t size) {
  io_[static_cast<size_t>(i)] = {answer_room().data(), size};
  answered_ |= uint64_t{1} << i;
  answered_size_ += size;
}

// A call for each run of neighbours: for the whole batch, unless some get no answer now.
size_t UdpBatch::Send(int fd) {
  size_t dropped = 0;
  while (answered_ != 0) {
    const int first = std::countr_zero(answered_);
    const int run = std::countr_one(answered_ >> first);
    const int count = sendmmsg(fd, headers_.data() + first, static_cast<unsigned>(run), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ++dropped;
    for (int i = 0; i < std::max(count, 1); ++i) answered_ &= answered_ - 1;
  }
  return dropped;
}

}  // namespace perigee::dns
