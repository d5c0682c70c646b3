// A batch of datagrams: what recvmmsg fills and sendmmsg takes, with the way back of each one.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "lib/dns_wire/constants.h"

namespace perigee::dns {

// The way back: the client, and the address of ours that it asked (as a control message). A plain value.
struct ReplyPath {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } peer;
  socklen_t peer_size;
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> control;
  size_t control_size;

  // Turns what was received into what is to be sent: leave from that address, by whatever interface the
  // routing table says. A link-local address means nothing without its interface, so there it stays.
  void FreeInterface();

  // Same place in both families.
  bool has_port() const { return peer.v4.sin_port != 0; }

  // Valid while `this` and `data` are.
  msghdr Header(iovec* data);
};

// About 220 KB, of which a round touches as little as it can: keep it on the heap. Used by one thread.
class UdpBatch {
 public:
  static constexpr size_t kSize = 64;            // as many as answered_ has bits
  static constexpr size_t kMaxQuerySize = 2048;  // what is longer arrives cut, and gets FORMERR

  UdpBatch();

  // Waits for a datagram and takes those that are there, at most kSize. Returns how many, or -1 with errno;
  // EAGAIN when the socket has a time-out and none came.
  int Receive(int fd);

  std::span<const uint8_t> query(int i) const;
  // Whether it was longer than kMaxQuerySize.
  bool is_cut(int i) const { return (headers_[static_cast<size_t>(i)].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  ReplyPath& path(int i) { return paths_[static_cast<size_t>(i)]; }

  // Where the next answer is to be written; AddAnswer then queues its first `size` octets for datagram `i`,
  // of which query(i) is no longer to be asked.
  std::span<uint8_t> answer_room() {
    return std::span(answer_octets_).subspan(answered_size_, kEdnsUdpLimit);
  }
  void AddAnswer(int i, size_t size);

  // Those that are queued.
  size_t answers() const { return static_cast<size_t>(std::popcount(answered_)); }

  // Sends the queued answers; one that cannot be sent is dropped, for its client asks again. Returns how many
  // were.
  size_t Send(int fd);

 private:
  // A cache line more than a query may have: at a distance of a power of two the first lines of all would
  // share a few sets of the cache.
  using QueryRoom = std::array<uint8_t, kMaxQuerySize + 64>;

  void Rearm(size_t i);

  std::array<ReplyPath, kSize> paths_{};
  // Of a query, and then of its answer, which goes back by the header that the query came with.
  std::array<iovec, kSize> io_{};
  std::array<mmsghdr, kSize> headers_{};
  std::array<QueryRoom, kSize> queries_;
  // One answer behind the other: most are short, and so few cache lines hold them all.
  std::array<uint8_t, kSize * kEdnsUdpLimit> answer_octets_;
  size_t used_ = 0;        // datagrams of the last round, to be made ready again
  uint64_t answered_ = 0;  // a bit for each datagram whose answer is queued
  size_t answered_size_ = 0;
};

}  // namespace perigee::dns
