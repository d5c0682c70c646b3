// Network namespaces for the integration test: the test's own, one whose host answers, one whose host ignores
// pings, and behind the one that answers a router before a network in which nobody answers anything.
// 198.18.0.0/15 and fd00::/8 only.
#pragma once

#include <string>

namespace perigee {

// What stands where. Addresses under kDarkPrefix are routed to a host that drops them without a word.
inline constexpr const char* kPinging = "198.18.1.";  // .1 to .60 answer pings
inline constexpr const char* kPingingV6 = "fd00:1::1";
inline constexpr const char* kMute =
    "198.18.2.1";  // ignores pings, refuses TCP, but listens on kMuteOpenPort
inline constexpr int kMuteOpenPort = 443;
inline constexpr int kMuteDeafPort = 444;  // drops SYNs
inline constexpr const char* kDark = "198.18.3.";
inline constexpr const char* kHidden = "198.18.5.";       // behind two routers
inline constexpr const char* kLastRouter = "198.18.6.2";  // the second of them
inline constexpr const char* kNoRoute = "198.51.100.1";

// Moves the calling process into a fresh world. Call before any thread is started; needs root. Returns what
// went wrong, or nothing.
std::string EnterTestingWorld();

// Packets that have left for the other hosts so far.
long PacketsSent();

}  // namespace perigee
