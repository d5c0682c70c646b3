#include "services/dns/listener/udp_batch.h"

#include <cerrno>

namespace perigee::dns {

void ReplyPath::FreeInterface() {
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
  for (Slot& slot : slots_) {
    slot.query_io = {slot.query.data(), slot.query.size()};
    slot.answer_io = {slot.answer.data(), 0};
  }
}

void UdpBatch::Rearm(size_t i) {
  Slot& slot = slots_[i];
  slot.path.peer_size = sizeof(slot.path.peer);
  slot.path.control_size = slot.path.control.size();
  received_[i] = {slot.path.Header(&slot.query_io), 0};
}

int UdpBatch::Receive(int fd) {
  for (size_t i = 0; i < used_; ++i) Rearm(i);
  used_ = 0;
  answers_ = 0;
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
  return std::span(slots_[n].query).first(received_[n].msg_len);
}

void UdpBatch::AddAnswer(int i, size_t size) {
  Slot& slot = slots_[answers_];
  slot.answer_io.iov_len = size;
  to_send_[answers_++] = {path(i).Header(&slot.answer_io), 0};
}

void UdpBatch::Send(int fd) {
  for (size_t sent = 0; sent < answers_;) {
    const int count =
        sendmmsg(fd, to_send_.data() + sent, static_cast<unsigned>(answers_ - sent), MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      ++sent;
    }
  }
}

}  // namespace perigee::dns
