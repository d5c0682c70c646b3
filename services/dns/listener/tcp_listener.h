// DNS over TCP (RFC 7766): queries may be pipelined, and answers come as they are ready, in any order.
//
// One thread serves all connections; TCP is the exception in DNS. Each connection reads no further while it
// has as many parked queries or unsent octets as it may have, so that a client slows down nobody but itself.
// A connection on which no whole query has come and no answer gone for `idle_timeout` is closed, whether it
// is silent, slow, or does not read what it asked for.
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "lib/base/address.h"
#include "lib/health/life_signs.h"
#include "services/dns/listener/socket.h"
#include "services/dns/responder/responder.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

struct TcpOptions {
  std::chrono::milliseconds idle_timeout{10'000};
  // At these limits the connection that was quiet longest makes room (see connection_table.h).
  size_t max_connections = 1024;
  size_t max_connections_per_client = 64;
  size_t max_parked_per_connection = 64;
  TcpCounters* counters = nullptr;  // must outlive the listener; null: nobody counts
  LifeSigns* life = nullptr;        // where its loop shows that it goes round; must outlive the listener
};

class TcpServer;

class TcpListener {
 public:
  // Serves at once. What the responder refers to must outlive the listener.
  static std::unique_ptr<TcpListener> Serve(std::vector<OpenPort> ports, const TcpOptions& options,
                                            const ResponderFactory& responders);

  // Closes every connection and ends the thread. Answers still parked are dropped.
  ~TcpListener();

  // Of the ports, in order.
  const std::vector<IpEndpoint>& endpoints() const { return endpoints_; }

 private:
  TcpListener() = default;

  std::vector<IpEndpoint> endpoints_;
  // Shared for as long as a parked answer is being handed over, and no longer.
  std::shared_ptr<TcpServer> server_;
  std::thread thread_;
};

}  // namespace perigee::dns
