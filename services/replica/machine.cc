#include "services/replica/machine.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "lib/base/read_file.h"
#include "lib/net/host.h"

namespace perigee::replica {
namespace {

constexpr size_t kMaxBytes = 4'096;
constexpr std::string_view kUnified = "0::";  // the line of version 2, cgroups(7)

// "" where there is none.
std::string OwnControlGroup() {
  const auto text = ReadFile("/proc/self/cgroup", kMaxBytes);
  if (!text.ok()) return "";
  const size_t at = text->find(kUnified);
  if (at == std::string::npos) return "";
  const size_t begin = at + kUnified.size();
  return text->substr(begin, text->find('\n', begin) - begin);
}

uint64_t PhysicalMemory() {
  return static_cast<uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 0L)) *
         static_cast<uint64_t>(std::max(sysconf(_SC_PAGESIZE), 0L));
}

}  // namespace

uint64_t MemoryLimitOf(const std::string& root, std::string_view path) {
  uint64_t least = UINT64_MAX;
  for (std::string_view group = path;; group = group.substr(0, group.rfind('/'))) {
    const auto text = ReadFile(root + std::string(group) + "/memory.max", kMaxBytes);
    uint64_t limit = 0;
    if (text.ok() && absl::SimpleAtoi(*text, &limit)) least = std::min(least, limit);  // or it is "max"
    if (group.empty() || group.front() != '/') return least;
  }
}

Machine ThisMachine() {
  return {.cores = static_cast<int>(std::thread::hardware_concurrency()),
          .ipv6 = HasIpv6(),
          .memory_bytes = std::min(PhysicalMemory(), MemoryLimitOf("/sys/fs/cgroup", OwnControlGroup()))};
}

}  // namespace perigee::replica
