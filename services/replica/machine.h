// What httpserver runs on, where that decides a default.
#pragma once

#include <cstdint>
#include <string_view>

namespace perigee::replica {

struct Machine {
  int cores = 1;
  bool ipv6 = false;
  uint64_t memory_bytes = 0;  // what there is, or as much of it as this process's control groups allow
};

Machine ThisMachine();

// The least memory.max of control group `path` (of /proc/self/cgroup) and those above it, which lie in
// `root`; UINT64_MAX when there is none.
uint64_t MemoryLimitOf(const std::string& root, std::string_view path);

}  // namespace perigee::replica
