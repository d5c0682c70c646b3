// What systemd, or whoever gave NOTIFY_SOCKET, is told of this process: sd_notify(3), Type=notify and
// notify-reload, WatchdogSec=. Without NOTIFY_SOCKET in the environment nothing happens; what cannot be told
// is logged and is no error. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/health/health_verdict.h"
#include "lib/program/program.h"

namespace perigee {

// Pure: the messages. `status` is a free text for people, of which control characters become spaces.
std::string ReadyMessage(std::string_view status);
std::string ReloadingMessage(std::chrono::microseconds monotonic);  // CLOCK_MONOTONIC's
std::string StoppingMessage(std::string_view status);
std::string AliveMessage();

// Sends one of them.
void TellServiceManager(const std::string& message);

// How often it wants to hear that all is alive: half of WatchdogSec=. Zero when it doesn't.
std::chrono::microseconds WatchdogInterval();

// Reads the fleet file anew. The fields that have changed and hold only after a restart; or why it is
// refused: then all goes on as before.
using Reload = std::function<absl::StatusOr<std::vector<std::string>>()>;

// The life of a server after its start, as the service manager sees it: ready, with `status`; reloading and
// ready again at each SIGHUP, with what `reload` said, which is logged too; alive as long as this thread is
// not stuck in a reload and `alive` finds no loop that is (what is stuck is logged); stopping. Returns the
// number of the signal that ends the program.
int ServeUntilStopped(StopSignal& stop, const std::string& status,
                      const std::function<HealthVerdict()>& alive, const Reload& reload);

}  // namespace perigee
