// Blocking DNS clients for tests on loopback. Every wait ends after five seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/listener/socket.h"

namespace perigee::dns::testing {

// A datagram socket, not connected: it sees where answers come from.
class UdpClient {
 public:
  explicit UdpClient(const IpEndpoint& server);

  void Send(std::span<const uint8_t> bytes);
  // Nothing after five seconds, or when what came is malformed.
  std::optional<Message> Receive();
  // Whether an answer is there already.
  bool HasAnswer();
  // Where the last answer came from.
  const IpAddress& answered_from() const { return answered_from_; }

 private:
  IpEndpoint server_;
  Socket socket_;
  IpAddress answered_from_;
};

class TcpClient {
 public:
  explicit TcpClient(const IpEndpoint& server);
  // Comes from this address of the host.
  TcpClient(const IpEndpoint& server, const IpAddress& source);

  // With the length prefix.
  void Send(std::span<const uint8_t> query);
  // As it is.
  void SendRaw(std::span<const uint8_t> bytes);
  // No more will be sent.
  void CloseHalf();
  // Nothing when the server has closed, or after five seconds.
  std::optional<Message> Receive();
  // True when the server closes within five seconds without sending anything more.
  bool IsClosed();

 private:
  void Connect(const IpEndpoint& server);
  bool ReadExactly(std::span<uint8_t> bytes);

  Socket socket_;
};

}  // namespace perigee::dns::testing
