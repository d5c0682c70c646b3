// By what requests are counted, and the words for it in metrics. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace perigee::replica {

enum class MethodClass : uint8_t { kGet, kHead, kPost, kOther, kCount };

enum class StatusClass : uint8_t { kNone, k1xx, k2xx, k3xx, k4xx, k5xx, kCount };

enum class HitTier : uint8_t { kMemory, kDisk, kCount };

// Why a request was refused before anything was looked up or fetched for it.
enum class Refusal : uint8_t {
  kConnections,        // max_connections, max_tunnels; 503
  kClientConnections,  // max_connections_per_address; 503
  kSlowReader,         // write_timeout, min_rate; cut off
  kMalformed,          // 400
  kMethod,             // 405
  kTimeout,            // header_timeout, body_timeout; 408
  kBodyTooLarge,       // 413
  kTargetTooLong,      // 414
  kForeignHost,        // none of the served names; 421
  kHeadTooLarge,       // 431
  kNotImplemented,     // a transfer coding; 501
  kVersion,            // 505
  kLoop,               // max. intermediaries; 508
  kOther,
  kCount,
};

MethodClass ClassOfMethod(std::string_view method);
// kNone when there was no answer: 0.
StatusClass ClassOfStatus(int status);
// By the status of the answer.
Refusal RefusalOf(int status);

std::string_view Word(MethodClass method);
std::string_view Word(StatusClass status);
std::string_view Word(HitTier tier);
std::string_view Word(Refusal refusal);

}  // namespace perigee::replica
