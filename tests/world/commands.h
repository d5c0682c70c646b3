// What `world` does, one function a subcommand. Each returns the program's exit code: 0, 1 when it failed, 2
// when the command line or the description is wrong; what is wrong is then on standard error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/world/rtt_check.h"

namespace perigee::world {

struct UpOptions {
  std::string description;
  std::vector<std::string> select;  // hosts or roles; empty is all
  uint64_t seed = 1;                // of loss and jitter
  int ready_fd = -1;                // also gets the ready line, and is closed then
  std::string ready_file;           // the same; empty is none
};

// Brings a world up and runs it until SIGTERM or SIGINT, then removes it. Once up it prints one line:
// "ready hosts=25 bring_up_ms=17.3 pid=4711 control=/run/perigee-world/control.sock"
int Up(const UpOptions& options);

// Stops a running world and removes what any earlier one has left.
int Down();

// A table of the running world's hosts, or of the description's when one is given.
int Hosts(const std::string& description);

// The RTT of two hosts in ms, of the running world or of the description.
int PrintRtt(const std::string& a, const std::string& b, const std::string& description);

// "set …" or "stats", as in control_protocol.h.
int Request(const std::string& request);

// 1 also when the error of the shortest answers is above kMaxShortestError.
int Check(const CheckOptions& options);

// Runs a command in a host's network namespace, with /etc/netns/pg-HOST/resolv.conf if there is one; does not
// return when it succeeds.
int Exec(const std::vector<std::string>& host_and_command);

}  // namespace perigee::world
