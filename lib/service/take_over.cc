#include "lib/service/take_over.h"

#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "lib/base/read_file.h"
#include "lib/net/socket.h"

extern "C" {  // which glibc 2.36 forgets
#include <sys/pidfd.h>
}

namespace perigee {
namespace {

constexpr size_t kMaxName = 64;

bool Runs(pid_t pid, std::string_view program) {
  const auto name = ReadFile(fmt::format("/proc/{}/comm", pid), kMaxName);
  return name.ok() && *name == fmt::format("{}\n", program);
}

}  // namespace

absl::Status EndAndAwait(pid_t pid, std::string_view program, std::chrono::milliseconds patience) {
  const Socket process(pidfd_open(pid, 0));  // first: from here on it is this process and no later one
  if (process.fd() < 0 || !Runs(pid, program))
    return absl::InvalidArgumentError(fmt::format("process {} is no running {}", pid, program));
  if (pidfd_send_signal(process.fd(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH) {
    return absl::PermissionDeniedError(fmt::format("cannot end process {}: {}", pid, std::strerror(errno)));
  }
  pollfd ended{.fd = process.fd(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, static_cast<int>(patience.count())) == 1) return absl::OkStatus();
  return absl::DeadlineExceededError(
      fmt::format("process {} still runs, {} ms after it was told to stop", pid, patience.count()));
}

}  // namespace perigee
