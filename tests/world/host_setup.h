// Brings up one emulated host: its network namespace, loopback, and an Ethernet interface whose wire is a
// file descriptor. Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and /dev/net/tun.
#pragma once

#include "absl/status/statusor.h"
#include "tests/world/system.h"
#include "tests/world/world_description.h"

namespace perigee::world {

// The interface's name in every host.
inline constexpr const char* kInterface = "eth0";
// Frames that the host's kernel keeps for the emulator to read; beyond it the kernel drops.
inline constexpr uint32_t kTapQueueLength = 8192;

// Leaves the thread in the new namespace. The descriptor is non-blocking: one read or write is one Ethernet
// frame. The interface lives as long as the descriptor.
absl::StatusOr<UniqueFd> BringUpHost(const Host& host, HostId id);

}  // namespace perigee::world
