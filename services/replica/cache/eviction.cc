#include "services/replica/cache/eviction.h"

#include "services/replica/cache/eviction_by_hits.h"
#include "services/replica/cache/eviction_by_turn.h"

namespace perigee::replica {

std::string_view Name(Eviction eviction) {
  switch (eviction) {
    case Eviction::kLfuPerByte:
      return "lfu-per-byte";
    case Eviction::kLfu:
      return "lfu";
    case Eviction::kLfuAged:
      return "lfu-aged";
    case Eviction::kLfuAdmission:
      return "lfu-admission";
    case Eviction::kGdsf:
      return "gdsf";
    case Eviction::kS3Fifo:
      return "s3fifo";
    case Eviction::kLru:
      return "lru";
  }
  return "unknown";
}

std::optional<Eviction> ParseEviction(std::string_view name) {
  for (const Eviction eviction : kEveryEviction) {
    if (Name(eviction) == name) return eviction;
  }
  return std::nullopt;
}

std::unique_ptr<EvictionPolicy> MakeEvictionPolicy(Eviction eviction) {
  switch (eviction) {
    case Eviction::kLfuPerByte:
      return std::make_unique<FewestHits>(kLfuPerByteRule);
    case Eviction::kLfu:
      break;
    case Eviction::kLfuAged:
      return std::make_unique<FewestHits>(kLfuAgedRule);
    case Eviction::kLfuAdmission:
      return std::make_unique<LfuAdmission>();
    case Eviction::kGdsf:
      return std::make_unique<FewestHits>(kGdsfRule);
    case Eviction::kS3Fifo:
      return std::make_unique<S3Fifo>();
    case Eviction::kLru:
      return std::make_unique<Lru>();
  }
  return std::make_unique<FewestHits>(kLfuRule);
}

}  // namespace perigee::replica
