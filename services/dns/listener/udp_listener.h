// DNS over UDP: one thread and one SO_REUSEPORT socket per core and listen address. A socket that was passed
// on by systemd is shared by as many threads instead: the kernel hands each datagram to one of them.
//
// The warm path is two system calls a batch, recvmmsg and sendmmsg, without a lock or an allocation. An
// answer leaves from the address that its query came to, also on a wildcard address. Parked answers are sent
// by whichever thread has them; one that comes after the listener's end goes nowhere. Socket errors never end
// a thread.
#pragma once

#include <memory>
#include <vector>

#include "lib/base/address.h"
#include "lib/health/life_signs.h"
#include "services/dns/listener/socket.h"
#include "services/dns/responder/responder.h"

namespace perigee::dns {

// What `threads_per_address` means: 0 is as many as there are cores.
int ThreadsPerAddress(int threads_per_address);

struct UdpOptions {
  int threads_per_address = 0;  // 0: as many as there are cores
  bool realtime = false;        // threads go first while they are modest (urgency.h)
  LifeSigns* life = nullptr;    // where each thread shows that it goes round; outlives the listener
};

class UdpListener {
 public:
  // Serves at once, with one thread per socket where there are more sockets than threads_per_address. What
  // the responders refer to must outlive the listener.
  static std::unique_ptr<UdpListener> Serve(std::vector<OpenPort> ports, const UdpOptions& options,
                                            const ResponderFactory& responders);

  // Ends the threads and closes the sockets. Answers still parked are dropped. Threads on passed sockets take
  // up to a second to notice.
  ~UdpListener();

  // Of the ports, in order.
  const std::vector<IpEndpoint>& endpoints() const { return endpoints_; }

 private:
  class Worker;
  UdpListener();

  LifeSigns unread_;
  std::vector<IpEndpoint> endpoints_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace perigee::dns
