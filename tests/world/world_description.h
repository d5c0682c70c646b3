// A world: hosts in cities, and the round-trip time between each two of them, read from a text file.
//
// The format is documented in README.md of this folder. Values are plain; a World does not change once parsed
// and may be read from any thread. Round-trip times are symmetric, in microseconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee::world {

inline constexpr size_t kMaxHosts = 1024;
inline constexpr size_t kMaxCities = 1024;
inline constexpr size_t kMaxDescriptionBytes = 16u << 20;
inline constexpr size_t kMaxNameLength = 60;
inline constexpr Rtt kMaxRtt = std::chrono::seconds(10);
inline constexpr uint64_t kMinRateBps = 8'000;  // below it one full frame takes longer than a second
inline constexpr uint64_t kMaxRateBps = 100'000'000'000;

inline constexpr uint8_t kMaxRouters = 30;

// Where the emulator's gateway lives in every host's routing table; no host may have this address.
inline constexpr std::string_view kGatewayIpv4 = "198.18.0.1";

// Where the routers before hosts live; no host may have such an address.
inline constexpr std::string_view kRoutersIpv4 = "198.19.128.0/17", kRoutersIpv6 = "fd00:ffff::/32";

// A host's place in World::hosts().
enum class HostId : uint16_t {};
inline constexpr size_t Index(HostId id) { return static_cast<size_t>(id); }

// The address of router number `hop`, 1 to kMaxRouters, on every path to `host`.
IpAddress RouterAddress(HostId host, uint8_t hop, bool v4);

enum class Role : uint8_t { kReplica, kOrigin, kDirector, kClient };
std::string_view RoleName(Role role);

// What is wrong with a host's link to the world. The defaults are a perfect one.
struct HostKnobs {
  bool block_icmp = false;  // echo requests to the host are dropped, as by a firewall in front of it
  // So is all else that it has not asked for: SYNs, and datagrams to a traceroute's ports.
  bool block_probes = false;
  double loss = 0;                     // share of the packets from and to the host that are lost, 0 to 1
  std::chrono::microseconds jitter{};  // the one-way delay varies evenly by up to this, both ways
  uint64_t rate_bps = 0;               // bits/s, in each direction; 0 is unlimited
  // Routers on each path to the host. A packet whose time to live is their number or less does not get there:
  // the router at which it runs out says so, unless they are silent.
  uint8_t routers = 0;
  bool silent_routers = false;
  // The RTT between the last of them and the host; the others stand evenly before it.
  Rtt last_hop{};
};

struct Host {
  std::string name;
  Role role = Role::kClient;
  std::string city;
  IpAddress ipv4;
  std::optional<IpAddress> ipv6;
  HostKnobs knobs;
};

class World {
 public:
  // `rtts` has hosts.size()² elements, row by row, and is symmetric.
  World(std::vector<Host> hosts, std::vector<perigee::Rtt> rtts);

  const std::vector<Host>& hosts() const { return hosts_; }
  const Host& host(HostId id) const { return hosts_[Index(id)]; }
  // In the order of the file.
  std::vector<HostId> WithRole(Role role) const;
  std::optional<HostId> Find(std::string_view name) const;

  perigee::Rtt Rtt(HostId a, HostId b) const { return rtts_[Index(a) * hosts_.size() + Index(b)]; }
  // NotFound names the host that there isn't.
  absl::StatusOr<perigee::Rtt> Rtt(std::string_view a, std::string_view b) const;

  // The world of just the hosts that a selector names: a host's name or a role. InvalidArgument when one
  // matches nothing. No selectors select every host.
  absl::StatusOr<World> Select(const std::vector<std::string>& selectors) const;

 private:
  std::vector<Host> hosts_;
  std::vector<perigee::Rtt> rtts_;
  absl::flat_hash_map<std::string, HostId> by_name_;
};

// InvalidArgument with "file:line: what is wrong" for the first thing that is wrong.
absl::StatusOr<World> ParseWorld(std::string_view text, std::string_view file);

// Reads the file too; NotFound when it cannot be read.
absl::StatusOr<World> LoadWorld(const std::string& path);

}  // namespace perigee::world
