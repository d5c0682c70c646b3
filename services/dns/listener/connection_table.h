// Which TCP connection makes room for a new one. Pure bookkeeping; used by one thread.
//
// At a limit the connection that has been quiet longest is closed, of the same client when that client is at
// its limit, else of all (RFC 7766 §6.2.3 lets a server do so). Thus silent connections cannot shut others
// out.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "lib/base/address.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

class ConnectionTable {
 public:
  using Id = uint64_t;

  // Both limits are at least 1.
  ConnectionTable(size_t max_total, size_t max_per_client);

  // Why a connection is to be closed: kTotalLimit, kClientLimit or kStopped.
  using Close = std::function<void(TcpClose why)>;
  // `close` is called once, and never from within Add for the connection itself, when the connection has to
  // make room or the table is closed. It must not call back into the table at once.
  Id Add(const IpAddress& client, Close close);

  // The connection did something useful. Unknown ids, of connections that made room, are ignored.
  void Touch(Id id);
  void Remove(Id id);
  void CloseAll();

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Id id;
    IpAddress client;
    Close close;
  };
  using Entries = std::list<Entry>;  // quietest first

  void Erase(Entries::iterator entry);
  void Evict(Entries::iterator entry, TcpClose why);

  const size_t max_total_;
  const size_t max_per_client_;
  Entries entries_;
  absl::flat_hash_map<Id, Entries::iterator> by_id_;
  absl::flat_hash_map<IpAddress, size_t> per_client_;
  Id next_id_ = 0;
};

}  // namespace perigee::dns
