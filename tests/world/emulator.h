// The running world: hosts' interfaces on one side, the fabric on the other, and a loop between them.
//
// One thread; everything is on it. Under SCHED_FIFO when that is permitted, else RTTs are only as good as the
// scheduler. Nothing runs while nothing happens: it waits for a frame, the next delivery, a request, a
// signal.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/world/control_server.h"
#include "tests/world/fabric.h"
#include "tests/world/system.h"
#include "tests/world/world_description.h"

namespace perigee::world {

// Frames read from one host before the others have their turn and what is due goes out.
inline constexpr int kReadBatch = 64;
// Below the kernel's own real-time threads.
inline constexpr int kRealTimePriority = 10;

class Emulator {
 public:
  // Brings the hosts' namespaces and interfaces up; on an error the caller removes what there is
  // (teardown.h). SIGTERM and SIGINT must be blocked in the calling thread, whose network namespace does not
  // change.
  static absl::StatusOr<Emulator> BringUp(World world, uint64_t seed, ControlServer control);

  Emulator(Emulator&&) noexcept = default;
  Emulator& operator=(Emulator&&) = delete;
  // Takes the interfaces down.
  ~Emulator();

  // Until SIGTERM or SIGINT.
  absl::Status Run();

 private:
  Emulator(World world, uint64_t seed, ControlServer control);
  absl::Status OpenDescriptors();
  absl::Status Watch(int fd, uint32_t token);
  void ReadFrames(HostId host);
  void Deliver();
  void ArmTimer();
  void ServeControl();
  // False when it is time to stop.
  bool Dispatch(uint32_t token);

  World world_;
  Fabric fabric_;
  ControlServer control_;
  std::vector<UniqueFd> taps_;  // by host
  UniqueFd epoll_, timer_, signals_;
  MonoTime armed_ = MonoTime::max();
};

// SCHED_FIFO and the finest timers for the calling thread; children start without. PermissionDenied when it
// may not have them.
absl::Status EnterRealTime(int priority);

}  // namespace perigee::world
