#include "services/dns/listener/udp_batch.h"

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
    query_io_[i] = {queries_[i].data(), queries_[i].size()};
    received_[i].msg_hdr = paths_[i].Header(&query_io_[i]);
    received_[i].msg_hdr.msg_control = paths_[i].control.data();
    Rearm(i);
    to_send_[i].msg_hdr = paths_[i].Header(&answer_io_[i]);
  }
}

// The kernel has overwritten the sizes.
void UdpBatch::Rearm(size_t i) {
  received_[i].msg_hdr.msg_namelen = sizeof(paths_[i].peer);
  received_[i].msg_hdr.msg_controllen = paths_[i].control.size();
}

int UdpBatch::Receive(int fd) {
  for (size_t i = 0; i < used_; ++i) Rearm(i);
  used_ = answers_ = answered_size_ = 0;
  const int count = recvmmsg(fd, received_.data(), kSize, MSG_WAITFORONE, nullptr);
  for (int i = 0; i < count; ++i, ++used_) {
    path(i).peer_size = received_[used_].msg_hdr.msg_namelen;
    path(i).control_size = received_[used_].msg_hdr.msg_controllen;
    path(i).FreeInterface();
  }
  return count;
}

std::span<const uint8_t> UdpBatch::query(int i) const {
  const size_t n = static_cast<size_t>(i);
  return std::span(queries_[n]).first(received_[n].msg_len);
}

// Field by field: a header that is copied whole, just written, stalls the core longer than all else here.
void UdpBatch::AddAnswer(int i, size_t size) {
  ReplyPath& to = path(i);
  msghdr& header = to_send_[answers_].msg_hdr;
  header.msg_name = &to.peer;
  header.msg_namelen = to.peer_size;
  header.msg_control = to.control_size == 0 ? nullptr : to.control.data();
  header.msg_controllen = to.control_size;
  answer_io_[answers_] = {answer_room().data(), size};
  answered_size_ += size;
  ++answers_;
}

size_t UdpBatch::Send(int fd) {
  size_t dropped = 0;
  for (size_t sent = 0; sent < answers_;) {
    const int count =
        sendmmsg(fd, to_send_.data() + sent, static_cast<unsigned>(answers_ - sent), MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      ++sent;
      ++dropped;
    }
  }
  return dropped;
}

}  // namespace perigee::dns
