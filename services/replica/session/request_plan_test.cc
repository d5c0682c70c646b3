#include "services/replica/session/request_plan.h"

#include <gmock/gmock.h>

#include "services/replica/fetch/origin_request.h"

namespace perigee::replica {
namespace {

RequestHead Request(std::string method, std::string target) {
  return {.method = std::move(method), .target = std::move(target)};
}

int RejectedWith(const RequestHead& request) {
  const Plan plan = PlanRequest(request);
  return plan.kind == PlanKind::kReject ? plan.status : 0;
}

TEST(RequestPlan, ReadsGoThroughTheCache) {
  for (const char* method : {"GET", "HEAD"}) {
    const RequestHead request = Request(method, "/a");
    EXPECT_EQ(PlanRequest(request).kind, PlanKind::kCache);
    EXPECT_EQ(PlanRequest(request).path, "/a");
  }
}

TEST(RequestPlan, EverythingElsePassesThrough) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "M-SEARCH"}) {
    const Plan plan = PlanRequest(Request(method, "/a"));
    EXPECT_EQ(plan.kind, PlanKind::kPassThrough);
    EXPECT_EQ(plan.forward, http::Forward::kMethod);
  }
  RequestHead get_with_body = Request("GET", "/a");
  get_with_body.content_length = 3;
  EXPECT_EQ(PlanRequest(get_with_body).kind, PlanKind::kPassThrough);
  EXPECT_EQ(PlanRequest(get_with_body).forward, http::Forward::kBypass);
}

TEST(RequestPlan, RefusesWhatAProxyMustNotDo) {
  EXPECT_EQ(RejectedWith(Request("CONNECT", "cdn.test:443")), 405);
  EXPECT_EQ(RejectedWith(Request("TRACE", "/")), 405);
  EXPECT_EQ(RejectedWith(Request("GET", "*")), 400);
  EXPECT_EQ(RejectedWith(Request("OPTIONS", "*")), 0);
  EXPECT_EQ(RejectedWith(Request("GET", "a/b")), 400);
}

TEST(RequestPlan, WebSocketIsATunnelAndOtherUpgradesAreIgnored) {
  RequestHead request = Request("GET", "/");
  request.headers = {{"Upgrade", "h2c, WebSocket"}, {"Connection", "keep-alive, Upgrade"}};
  EXPECT_EQ(PlanRequest(request).kind, PlanKind::kTunnel);
  EXPECT_EQ(PlanRequest(request).path, "/");

  RequestHead other = request;
  other.headers = {{"Upgrade", "h2c"}, {"Connection", "Upgrade"}};
  EXPECT_EQ(PlanRequest(other).kind, PlanKind::kCache);
  other.headers = {{"Upgrade", "websocket"}};
  EXPECT_EQ(PlanRequest(other).kind, PlanKind::kCache)
      << "without the connection option it counts for nothing";
  other = request;
  other.minor_version = 0;
  EXPECT_EQ(PlanRequest(other).kind, PlanKind::kCache);
  other = request;
  other.method = "POST";
  EXPECT_EQ(PlanRequest(other).kind, PlanKind::kPassThrough);
  other = request;
  other.content_length = 1;
  EXPECT_EQ(PlanRequest(other).kind, PlanKind::kPassThrough);
}

TEST(RequestPlan, OptionsForTheServerAsAWhole) {
  RequestHead request = Request("OPTIONS", "http://cdn.test");
  EXPECT_EQ(PlanRequest(request).path, "*");
  request.target += '/';
  EXPECT_EQ(PlanRequest(request).path, "/");
}

TEST(RequestPlan, OptionsGoAsFarAsMaxForwardsSays) {
  RequestHead request = Request("OPTIONS", "/");
  request.headers.Add("Max-Forwards", "1");
  EXPECT_EQ(PlanRequest(request).kind, PlanKind::kPassThrough);
  request.headers.Set("Max-Forwards", "0");
  EXPECT_EQ(PlanRequest(request).kind, PlanKind::kLastHop);
  request.method = "GET";
  EXPECT_EQ(PlanRequest(request).kind, PlanKind::kCache);
}

TEST(RequestPlan, BreaksLoops) {
  RequestHead request = Request("GET", "/");
  for (size_t i = 0; i < kMaxViaHops; ++i) request.headers.Add("Via", "1.1 perigee");
  EXPECT_EQ(RejectedWith(request), 0);
  request.headers.Add("Via", "1.1 perigee");
  EXPECT_EQ(RejectedWith(request), 508);
}

}  // namespace
}  // namespace perigee::replica
