// One thread of the server: an io_context, its listening sockets, its connections to clients and origin.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/health/loop_sign.h"
#include "services/replica/address_limit.h"
#include "services/replica/counters.h"
#include "services/replica/session/connection.h"
#include "services/replica/session/context.h"

namespace perigee::replica {

// What all Workers share; it outlives them.
struct Shared {
  Cache& cache;
  FlightTable flights;
  const http::CachePolicy& policy;
  Origin origin;
  const Limits& worker_limits;  // with the counts of connections divided among the Workers
  const Clock& clock;
  const ResolverOptions& resolver;
  Published<ServedNames> served_names;
  AccessLog* access_log;  // null: none is kept
  AddressLimit addresses;
  ClientRtts client_rtts = {};
  Beacons beacons = {};
  LifeSigns life = {};
};

class Worker {
 public:
  // Takes the listening descriptors over. `name` is for its life sign.
  Worker(Shared& shared, const std::vector<int>& listening, std::string name);
  // Stop and Join must have been called on all Workers, if Start was: they wake each other.
  ~Worker();

  void Start();

  // Thread-safe, after Start: takes no connections but those that the kernel has accepted already; closes all
  // after their answers, and those that ask for nothing within drain_idle_timeout.
  void Drain();
  // Thread-safe, after Start: whether answers say Connection: close, so that clients connect anew, elsewhere
  // if they can. Nothing is refused.
  void SendAway(bool on);
  // Thread-safe: cuts everything off. The thread ends when the last coroutine has noticed.
  void Stop();
  void Join();

  const Counters& counters() const { return counters_; }

 private:
  Task<> Accept(Acceptor& acceptor);
  // What waits in the kernel's queue, which would be reset when the socket closes.
  void AcceptQueued(Acceptor& acceptor);
  void Admit(Socket socket, const Tcp::endpoint& from);
  Task<> Serve(Socket socket, IpAddress client, AddressLimit::Place place);
  void Refuse(Socket socket, Refusal why);

  const Limits& limits_;
  AddressLimit& addresses_;
  asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};  // sockets are touched by its thread alone
  LoopSign loop_sign_;
  DeadlineSweeper sweeper_;
  OriginPool pool_;
  Counters counters_;
  bool stopping_ = false;
  Context context_;
  std::vector<Acceptor> acceptors_;
  boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
  std::thread thread_;
};

}  // namespace perigee::replica
