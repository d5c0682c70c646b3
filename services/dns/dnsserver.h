// dnsserver as one object: its rooms, built in the order in which they need each other.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/health/health_verdict.h"
#include "lib/service/passed_sockets.h"
#include "perigee/v1/config.pb.h"
#include "services/dns/listener/tcp_listener.h"

namespace perigee::dns {

struct DnsServerOptions {
  // Reads the fleet file: at the start, and for every reload. With its defaults filled in, and the domain
  // set.
  std::function<absl::StatusOr<v1::FleetConfig>()> load_fleet;
  // Told of each that is taken: at the start, and by a reload that is not refused. On any thread.
  std::function<void(const v1::FleetConfig&)> taken;
  // Of the fleet file: the files that it names are relative to it. Empty: the working directory.
  std::string folder;
  std::vector<PortPlan> ports;
  // Who the process becomes once the ports are open; empty: it stays who it is. See lib/service/privileges.h.
  std::string user, group;
  int threads_per_address = 0;  // 0: one per core
  bool realtime = true;         // of the UDP threads, where permitted; see lib/urgency/urgency.h
  TcpOptions tcp;               // its addresses are `ports`
  IpEndpoint control;
  bool insecure_control = false;
  // As the parent zone delegates to this server; see zone/synthetic.h. Empty: "ns1.<domain>".
  std::string name_server;
  std::vector<IpAddress> server_addresses;
};

class DnsServer {
 public:
  // Serves DNS and the control port from here on. InvalidArgument says which option or field is wrong;
  // Unavailable and PermissionDenied name what could not be had.
  //
  // Opens the DNS ports first; then becomes `user`; only then any file is read and any thread started. So
  // what that user can't read or write shows here and not at the first reload, and nothing but the opening of
  // ports is ever done as root. The process must have no other thread yet if there is a `user`. The control
  // and the metrics port are opened by that user: they are for numbers from 1024 on.
  static absl::StatusOr<std::unique_ptr<DnsServer>> Start(const DnsServerOptions& options);
  // Stops listening first; then measurements under way are cancelled.
  ~DnsServer();

  int control_port() const;

  // Whether its loops go round. Any thread.
  HealthVerdict Alive() const;

  // Reads the fleet file and the zones again and opens the logs anew; returns when that is done. The fields
  // that have changed and hold only after a restart; on an error all goes on as before. Not on a thread of
  // gRPC's.
  absl::StatusOr<std::vector<std::string>> Reload();

 private:
  struct Rooms;
  explicit DnsServer(std::unique_ptr<Rooms> rooms);
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace perigee::dns
