// What /healthz and /readyz say of a program (docs/metrics.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace perigee {

// Where a server is in its life.
enum class Phase : uint8_t { kStarting, kServing, kStopping };

struct HealthVerdict {
  // Why the answer is no, one line each. None: it is yes.
  std::vector<std::string> failures;
  // What is worse than it should be, and no reason to say no.
  std::vector<std::string> degraded;

  bool ok() const { return failures.empty(); }
};

// Of a server in this phase, before anything else is known: it fails in all but kServing.
HealthVerdict VerdictOf(Phase phase);

// "ok" or a line for each failure, then a line for each that is degraded.
std::string Text(const HealthVerdict& verdict);

}  // namespace perigee
