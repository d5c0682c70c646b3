// One connection to scamper: many pings at once, each with its own callback. Sans-I/O: the owner moves bytes.
//
// Not thread-safe. Callbacks run inside Receive or Fail, and may call back into the session.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/prober/scamper_protocol.h"

namespace perigee {

// Called once. FailedPrecondition when scamper will not take the command, as for an address without a route;
// Unavailable when scamper has died.
using PingDone = std::function<void(absl::StatusOr<PingResult>)>;

class ScamperSession {
 public:
  // The most pings that scamper is given at once.
  static constexpr size_t kMaxPending = 8192;

  // Writes the attach command into the output.
  ScamperSession();

  // `command.user_id` is chosen here and returned: the handle for Halt. When kMaxPending pings are pending,
  // nothing is sent, `done` is not called and the result is ResourceExhausted.
  absl::StatusOr<uint32_t> Ping(PingCommand command, PingDone done);

  // Ends a ping early: its callback comes soon, with what was seen so far. No effect on one that has ended.
  void Halt(uint32_t user_id);

  // The same, and the callback will not come.
  void Abandon(uint32_t user_id);

  // Sends a command that does nothing if none awaits its acknowledgement: whether scamper lives shows then.
  void Ask();

  // Bytes from scamper. After an error the connection is of no use.
  absl::Status Receive(std::string_view bytes);

  // Bytes for scamper since the last call.
  std::string TakeOutput() { return std::exchange(output_, {}); }

  // Ends every pending ping with `status`.
  void Fail(const absl::Status& status);

  bool attached() const { return attached_; }
  size_t pending() const { return pings_.size(); }
  // Commands that scamper has not acknowledged, and how many it ever has: it hangs when the first stays above
  // 0 and the second stands still.
  size_t unacknowledged() const { return commands_.size(); }
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  struct Pending {
    PingDone done;
    std::optional<uint32_t> task_id;  // once scamper has told it
    bool halt = false;                // asked for before the task id was known
  };
  enum class Kind { kAttach, kPing, kHalt };
  struct Command {
    Kind kind;
    uint32_t user_id = 0;
  };

  void Send(std::string_view line, Command command);
  void SendHalt(uint32_t task_id) { Send(FormatHalt(task_id), {Kind::kHalt}); }
  void Finish(uint32_t user_id, absl::StatusOr<PingResult> result);
  absl::Status On(const CommandAccepted& accepted);
  absl::Status On(const CommandRejected& rejected);
  absl::Status On(const PingResult& result);
  absl::StatusOr<Command> NextAcknowledged();

  ScamperParser parser_;
  std::string output_;
  std::deque<Command> commands_;
  absl::flat_hash_map<uint32_t, Pending> pings_;
  uint32_t last_user_id_ = 0;
  uint64_t acknowledged_ = 0;
  bool attached_ = false;
};

}  // namespace perigee
