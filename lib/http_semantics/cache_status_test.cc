#include "lib/http_semantics/cache_status.h"

#include <gtest/gtest.h>

namespace perigee::http {
namespace {

TEST(CacheStatus, SaysHitWithTtlAndDetail) {
  CacheStatus status;
  status.ttl = std::chrono::seconds(30);
  status.detail = "memory";
  EXPECT_EQ(FormatCacheStatus(status), "Perigee; hit; ttl=30; detail=memory");
}

TEST(CacheStatus, SaysWhyARequestWasForwarded) {
  CacheStatus status;
  status.forward = Forward::kStale;
  status.forward_status = 304;
  status.ttl = std::chrono::seconds(-5);
  status.stored = status.collapsed = true;
  EXPECT_EQ(FormatCacheStatus(status), "Perigee; fwd=stale; fwd-status=304; ttl=-5; stored; collapsed");
  for (const auto& [forward, word] : {std::pair{Forward::kBypass, "bypass"},
                                      {Forward::kMethod, "method"},
                                      {Forward::kUriMiss, "uri-miss"},
                                      {Forward::kVaryMiss, "vary-miss"},
                                      {Forward::kMiss, "miss"},
                                      {Forward::kPartial, "partial"},
                                      {Forward::kRequest, "request"}}) {
    EXPECT_EQ(FormatCacheStatus({.forward = forward, .ttl = {}, .forward_status = {}, .detail = {}}),
              std::string("Perigee; fwd=") + word);
  }
}

TEST(CacheStatus, LeavesOutADetailThatWouldBreakTheField) {
  CacheStatus status;
  status.detail = "a; b";
  EXPECT_EQ(FormatCacheStatus(status), "Perigee; hit");
}

}  // namespace
}  // namespace perigee::http
