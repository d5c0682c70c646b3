// What can be asked of a running world, one line a request; the text protocol of its control socket.
//
//   hosts                             one host a line: name role city ipv4 ipv6|- knobs…
//   rtt HOST HOST                     milliseconds
//   rtts                              one host a line: its name, then its RTT in ms to each host in order
//   stats                             counters, one `name value` a line
//   set icmp HOST block|allow         echo requests to the host
//   set probes HOST block|allow       all that the host has not asked for
//   set routers HOST N|silent|answer  on the paths to the host
//   set last_hop HOST MS              from the last of them
//   set link HOST [HOST] cut|restore  a host or a pair
//   set loss HOST [HOST] PERCENT      "5%"
//   set rtt HOST HOST MS              "120" or "0.5ms"
//   set jitter HOST MS
//   set rate HOST RATE                "100mbit", "unlimited"
//
// The answer is lines of text, then "OK" or "ERR what is wrong" on a line of its own. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tests/world/fabric.h"
#include "tests/world/world_description.h"

namespace perigee::world {

inline constexpr size_t kMaxRequestBytes = 512;

// The answer to one request, without its line end, as bytes for the wire.
std::string Answer(std::string_view request, const World& world, Fabric& fabric);

// A host as `hosts` writes it: fields separated by tabs.
std::string HostLine(const Host& host, const HostKnobs& knobs, bool cut);

}  // namespace perigee::world
