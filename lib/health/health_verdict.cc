#include "lib/health/health_verdict.h"

namespace perigee {

HealthVerdict VerdictOf(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return {.failures = {"starting"}};
    case Phase::kServing:
      return {};
    case Phase::kStopping:
      return {.failures = {"stopping"}};
  }
  return {};
}

std::string Text(const HealthVerdict& verdict) {
  std::string text = verdict.ok() ? "ok\n" : "";
  for (const std::string& failure : verdict.failures) text += failure + "\n";
  for (const std::string& what : verdict.degraded) text += "degraded: " + what + "\n";
  return text;
}

}  // namespace perigee
