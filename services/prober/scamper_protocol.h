// The language of scamper's control socket (scamper(1), checked against 20211212): commands as lines, answers
// as a stream. Pure: bytes in, events out.
//
//   > attach format json             < OK / MORE / DATA 105 + {"type":"cycle-start",...}
//   > ping -U 4711 -c 1 -o 1 ADDR    < OK id-1 / MORE ... DATA 573 + {"type":"ping",...,"userid":4711,...}
//   > halt 1                         < OK halted 1, then DATA with what was seen so far
//   > ping ADDR-without-a-route      < ERR command not accepted
//   > halt 4294967295                < ERR no task id--1
//
// OK and ERR come in the order of the commands. DATA comes when it comes, even before its OK, and carries no
// task id: results are matched by `userid`. The count after DATA includes the newline.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee {

struct PingCommand {
  uint32_t user_id = 0;
  IpAddress address;
  uint32_t count = 1;
  // Between the echo requests of one command. scamper's usable minimum is 100 ms.
  std::chrono::milliseconds spacing{100};
  // How long scamper waits after the last request; whole seconds are all it knows, at least one.
  std::chrono::seconds patience{1};
};

// Command lines, with their newline.
inline constexpr std::string_view kAttachCommand = "attach format json\n";
std::string FormatPing(const PingCommand& command);
std::string FormatHalt(uint32_t task_id);
// Has no effect and is rejected at once: only an answer is wanted.
inline constexpr std::string_view kAskCommand = "halt 4294967295\n";

// "OK", "OK id-7" (then with the task's id) or "OK halted 7".
struct CommandAccepted {
  std::optional<uint32_t> task_id;
};
struct CommandRejected {
  std::string reason;
};
// One finished or halted ping. Only echo replies count: an ICMP error from a router on the way is no answer.
struct PingResult {
  uint32_t user_id = 0;
  uint32_t sent = 0;
  std::vector<Rtt> rtts;  // in the order of sending
};
using ScamperEvent = std::variant<CommandAccepted, CommandRejected, PingResult>;

// Splits the stream into events, however it is cut. Not thread-safe.
class ScamperParser {
 public:
  // The longest line and the longest result that scamper writes for 10 probes are far below these.
  static constexpr size_t kMaxLine = 4096;
  static constexpr size_t kMaxData = 65'536;

  // The events that `bytes` completed. Results that are not of a ping, or that lack what a ping has, are
  // passed over. Internal when the stream is not scamper's language; the parser is then of no further use.
  absl::StatusOr<std::vector<ScamperEvent>> Feed(std::string_view bytes);

 private:
  absl::Status TakeLine(std::string_view line, std::vector<ScamperEvent>* events);

  std::string buffer_;
  size_t data_left_ = 0;  // while above 0, that many bytes of a result come next
};

}  // namespace perigee
