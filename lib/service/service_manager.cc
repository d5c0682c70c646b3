#include "lib/service/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

// A newline would begin another assignment.
std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return line;
}

std::chrono::microseconds MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) +
         std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(now.tv_nsec));
}

// Silence makes the service manager end this process, and start it anew.
void TellWhetherAlive(const HealthVerdict& verdict) {
  if (verdict.ok()) return TellServiceManager(AliveMessage());
  for (const std::string& failure : verdict.failures)
    LogError(LogModule::kService, {{"error", failure}}, "the watchdog hears nothing, for {}", failure);
}

// The status after it.
std::string Reloaded(const Reload& reload, const std::string& status) {
  const auto needs_restart = reload();
  if (!needs_restart.ok()) {
    const std::string why(needs_restart.status().message());
    LogError(LogModule::kMain, {{"error", why}}, "reload refused, all goes on as before: {}", why);
    return fmt::format("{}; the last reload was refused: {}", status, why);
  }
  LogInfo(LogModule::kMain, {}, "reloaded");
  for (const std::string& field : *needs_restart)
    LogWarning(LogModule::kMain, {{"field", field}}, "{} has changed: that takes a restart", field);
  return status;
}

}  // namespace

std::string ReadyMessage(std::string_view status) {
  return fmt::format("READY=1\nSTATUS={}\n", OneLine(status));
}

std::string ReloadingMessage(std::chrono::microseconds monotonic) {
  return fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading\n", monotonic.count());
}

std::string StoppingMessage(std::string_view status) {
  return fmt::format("STOPPING=1\nSTATUS={}\n", OneLine(status));
}

std::string AliveMessage() { return "WATCHDOG=1\n"; }

void TellServiceManager(const std::string& message) {
  const int result = sd_notify(/*unset_environment=*/0, message.c_str());
  if (result < 0)
    LogWarning(LogModule::kService, {}, "can't tell the service manager: {}", std::strerror(-result));
}

std::chrono::microseconds WatchdogInterval() {
  uint64_t timeout = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &timeout) <= 0) return {};
  return std::chrono::microseconds(timeout / 2);
}

int ServeUntilStopped(StopSignal& stop, const std::string& status,
                      const std::function<HealthVerdict()>& alive, const Reload& reload) {
  TellServiceManager(ReadyMessage(status));
  const auto on_reload = [&] {
    TellServiceManager(ReloadingMessage(MonotonicNow()));
    TellServiceManager(ReadyMessage(Reloaded(reload, status)));
  };
  const int signal = stop.Wait(on_reload, {WatchdogInterval(), [&] { TellWhetherAlive(alive()); }});
  TellServiceManager(StoppingMessage(fmt::format("stopping on signal {}", signal)));
  return signal;
}

}  // namespace perigee
