#include "lib/http_semantics/freshness.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/http_semantics/http_date.h"
#include "lib/http_semantics/storability.h"

namespace perigee::http {
namespace {

using std::chrono::seconds;

const WallTime kNow{seconds(1'700'000'000)};

std::string At(int64_t offset) { return FormatHttpDate(kNow + seconds(offset)); }

ResponseHead Response(HeaderList headers, int status = 200) {
  return {status, "", std::move(headers), kNow, kNow};
}

struct LifetimeCase {
  const char* name;
  HeaderList headers;
  int status;
  int64_t lifetime;
};

TEST(Freshness, LifetimeBySource) {
  const LifetimeCase cases[] = {
      {"s-maxage wins", {{"Cache-Control", "max-age=1, s-maxage=9"}, {"Expires", At(5)}}, 200, 9},
      {"max-age before Expires", {{"Cache-Control", "max-age=7"}, {"Expires", At(5)}}, 200, 7},
      {"Expires minus Date", {{"Date", At(-10)}, {"Expires", At(50)}}, 200, 60},
      {"Expires minus arrival without Date", {{"Expires", At(50)}}, 200, 50},
      {"Expires in the past", {{"Date", At(0)}, {"Expires", At(-50)}}, 200, 0},
      {"Expires that is no date", {{"Expires", "0"}}, 200, 0},
      {"Expires beyond every clock", {{"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}}, 200, kMaxDelta.count()},
      {"first of two Expires", {{"Expires", At(3)}, {"Expires", At(9)}}, 200, 3},
      {"tenth of the age", {{"Date", At(0)}, {"Last-Modified", At(-1000)}}, 200, 100},
      {"heuristic cap", {{"Last-Modified", At(-100'000'000)}}, 200, 86'400},
      {"modified before every clock", {{"Last-Modified", "Fri, 01 Jan 1700 00:00:00 GMT"}}, 200, 86'400},
      {"modified after Date", {{"Last-Modified", At(10)}}, 200, 0},
      {"no heuristic for 302", {{"Last-Modified", At(-1000)}}, 302, 0},
      {"public allows a heuristic", {{"Last-Modified", At(-1000)}, {"Cache-Control", "public"}}, 302, 100},
      {"nothing said", {}, 200, 0},
  };
  for (const LifetimeCase& c : cases) {
    const Freshness f = FreshnessOf(Response(c.headers, c.status), CachePolicy());
    EXPECT_EQ(f.lifetime, seconds(c.lifetime)) << c.name;
  }
}

TEST(Freshness, NegativeTtlIsForErrorsThatSayNothing) {
  CachePolicy policy;
  const auto lifetime = [&policy](int status, HeaderList headers) {
    return FreshnessOf(Response(std::move(headers), status), policy).lifetime;
  };
  EXPECT_EQ(lifetime(404, {}), seconds(0)) << "off by default";
  policy.negative_ttl = seconds(5);
  for (const int status : {404, 405, 410, 414, 501}) EXPECT_EQ(lifetime(status, {}), seconds(5)) << status;
  for (const int status : {200, 301, 400, 403, 429, 500, 503}) EXPECT_EQ(lifetime(status, {}), seconds(0));
  EXPECT_EQ(lifetime(404, {{"Last-Modified", At(-1'000)}}), seconds(5));
  EXPECT_EQ(lifetime(404, {{"Cache-Control", "max-age=9"}}), seconds(9));
  EXPECT_EQ(lifetime(404, {{"Expires", "0"}}), seconds(0));
}

TEST(Storability, NegativeTtlLetsAnErrorBeStoredUnlessItForbids) {
  CachePolicy policy;
  const auto verdict = [&policy](HeaderList headers) {
    return JudgeStorability("GET", {}, Response(std::move(headers), 404), policy);
  };
  EXPECT_EQ(verdict({}), Storability::kNothingToReuse);
  policy.negative_ttl = seconds(5);
  EXPECT_EQ(verdict({}), Storability::kStore);
  EXPECT_EQ(verdict({{"Cache-Control", "no-store"}}), Storability::kResponseNoStore);
  EXPECT_EQ(verdict({{"Cache-Control", "private"}}), Storability::kPrivate);
}

TEST(Freshness, CurrentAgeFollowsTheRfcsFormula) {
  struct Case {
    HeaderList headers;
    int64_t delay;
    int64_t initial;
  };
  const Case cases[] = {
      {{}, 0, 0},
      {{{"Age", "30"}}, 0, 30},
      {{{"Age", "30"}}, 4, 34},                     // the response's delay adds to Age
      {{{"Date", At(-20)}}, 0, 20},                 // apparent age
      {{{"Date", At(-20)}, {"Age", "30"}}, 0, 30},  // the greater of both
      {{{"Date", At(20)}}, 0, 0},                   // a Date in the future is no negative age
      {{{"Date", "Fri, 01 Jan 1700 00:00:00 GMT"}}, 0, kMaxDelta.count()},
      {{{"Age", "x"}}, 0, 0},
      {{{"Age", "7, 9"}}, 0, 7},
      {{{"Age", "99999999999"}}, 0, kMaxDelta.count()},
  };
  for (const Case& c : cases) {
    ResponseHead response = Response(c.headers);
    response.request_time = kNow - seconds(c.delay);
    const Freshness f = FreshnessOf(response, CachePolicy());
    EXPECT_EQ(CurrentAge(f, kNow), seconds(c.initial)) << c.headers.text();
    EXPECT_EQ(CurrentAge(f, kNow + seconds(11)), seconds(c.initial + 11)) << c.headers.text();
    EXPECT_EQ(CurrentAge(f, kNow - seconds(11)), seconds(c.initial)) << "clock went back";
  }
}

struct ReuseCase {
  const char* response;
  const char* request;
  int64_t age;
  Reuse reuse;
  ReuseReason reason;
};

TEST(Freshness, DecidesReuse) {
  const ReuseCase cases[] = {
      {"max-age=60", "", 59, Reuse::kServe, ReuseReason::kFresh},
      {"max-age=60", "", 60, Reuse::kRevalidate, ReuseReason::kExpired},
      {"max-age=60, must-revalidate", "", 60, Reuse::kMustRevalidate, ReuseReason::kExpired},
      {"max-age=60, proxy-revalidate", "", 60, Reuse::kMustRevalidate, ReuseReason::kExpired},
      {"s-maxage=60", "", 60, Reuse::kMustRevalidate, ReuseReason::kExpired},
      {"max-age=60, must-revalidate", "", 1, Reuse::kServe, ReuseReason::kFresh},
      {"max-age=60, no-cache", "", 1, Reuse::kMustRevalidate, ReuseReason::kResponseNoCache},
      {"max-age=60, no-cache", "max-stale", 1, Reuse::kMustRevalidate, ReuseReason::kResponseNoCache},
      {"max-age=60", "no-cache", 1, Reuse::kMustRevalidate, ReuseReason::kRequestNoCache},
      {"max-age=60", "max-age=10", 10, Reuse::kServe, ReuseReason::kFresh},
      {"max-age=60", "max-age=10", 11, Reuse::kRevalidate, ReuseReason::kRequestMaxAge},
      {"max-age=60", "max-age=0", 1, Reuse::kRevalidate, ReuseReason::kRequestMaxAge},
      {"max-age=60", "min-fresh=10", 50, Reuse::kServe, ReuseReason::kFresh},
      {"max-age=60", "min-fresh=10", 51, Reuse::kRevalidate, ReuseReason::kRequestMinFresh},
      {"max-age=60", "max-stale=5", 65, Reuse::kServe, ReuseReason::kMaxStale},
      {"max-age=60", "max-stale=5", 66, Reuse::kRevalidate, ReuseReason::kExpired},
      {"max-age=60", "max-stale", 100'000, Reuse::kServe, ReuseReason::kMaxStale},
      {"max-age=60, must-revalidate", "max-stale", 61, Reuse::kMustRevalidate, ReuseReason::kExpired},
      {"max-age=60, stale-while-revalidate=5", "", 64, Reuse::kServe, ReuseReason::kStaleWhileRevalidate},
      {"max-age=60, stale-while-revalidate=5", "", 65, Reuse::kRevalidate, ReuseReason::kExpired},
      {"max-age=60, stale-while-revalidate=5", "max-age=9", 61, Reuse::kRevalidate,
       ReuseReason::kRequestMaxAge},
      {"max-age=60, stale-while-revalidate=5, must-revalidate", "", 61, Reuse::kMustRevalidate,
       ReuseReason::kExpired},
      {"max-age=60", "max-age=1000", 61, Reuse::kRevalidate, ReuseReason::kExpired},
  };
  for (const ReuseCase& c : cases) {
    const Freshness f = FreshnessOf(Response({{"Cache-Control", c.response}}), CachePolicy());
    const CacheControl request = ParseRequestCacheControl(HeaderList{{"Cache-Control", c.request}});
    const ReuseDecision d = DecideReuse(f, request, kNow + seconds(c.age));
    const std::string name = std::string(c.response) + " | " + c.request + " | " + std::to_string(c.age);
    EXPECT_EQ(static_cast<int>(d.reuse), static_cast<int>(c.reuse)) << name;
    EXPECT_EQ(d.reason, c.reason) << name;
    EXPECT_EQ(d.age, seconds(c.age)) << name;
    EXPECT_EQ(d.ttl, seconds(60 - c.age)) << name;
  }
}

struct ErrorCase {
  const char* response;
  const char* request;
  int64_t age;
  bool when_unreachable;
  bool on_error_status;
};

TEST(Freshness, StaleStandsInForAnOriginInTrouble) {
  CachePolicy policy;
  policy.max_stale_if_unreachable = seconds(100);
  const ErrorCase cases[] = {
      {"max-age=60", "", 160, true, false},
      {"max-age=60", "", 161, false, false},
      {"max-age=60, stale-if-error=10", "", 70, true, true},
      {"max-age=60, stale-if-error=10", "", 71, false, false},
      {"max-age=60, stale-if-error=0", "", 61, false, false},
      {"max-age=60", "stale-if-error=10", 70, true, true},
      {"max-age=60, stale-if-error=10", "stale-if-error=20", 80, true, true},
      {"max-age=60, stale-if-error=10", "no-cache", 61, false, false},
      {"max-age=60, stale-if-error=10, must-revalidate", "", 61, false, false},
      {"s-maxage=60, stale-if-error=10", "", 61, false, false},
      {"max-age=60, stale-if-error=10, no-cache", "", 61, false, false},
  };
  for (const ErrorCase& c : cases) {
    const Freshness f = FreshnessOf(Response({{"Cache-Control", c.response}}), policy);
    const CacheControl request = ParseRequestCacheControl(HeaderList{{"Cache-Control", c.request}});
    const ReuseDecision d = DecideReuse(f, request, kNow + seconds(c.age));
    const std::string name = std::string(c.response) + " | " + c.request + " | " + std::to_string(c.age);
    EXPECT_EQ(MayServeOnError(f, request, d, OriginTrouble::kUnreachable, policy), c.when_unreachable)
        << name;
    EXPECT_EQ(MayServeOnError(f, request, d, OriginTrouble::kErrorStatus, policy), c.on_error_status) << name;
  }
}

struct StoreCase {
  const char* name;
  Storability expected;
  HeaderList response;
  int status = 200;
  HeaderList request = {};
  const char* method = "GET";
};

TEST(Storability, JudgesByTheRules) {
  const StoreCase cases[] = {
      {"explicit freshness", Storability::kStore, {{"Cache-Control", "max-age=1"}}},
      {"Expires", Storability::kStore, {{"Expires", At(60)}}},
      {"a validator alone", Storability::kStore, {{"ETag", "\"a\""}}},
      {"heuristic", Storability::kStore, {{"Last-Modified", At(-1000)}}},
      {"unknown status with freshness", Storability::kStore, {{"Cache-Control", "max-age=1"}}, 599},
      {"404 with freshness", Storability::kStore, {{"Cache-Control", "max-age=1"}}, 404},
      {"400 with freshness", Storability::kStore, {{"Cache-Control", "max-age=1"}}, 400},
      {"400 without freshness", Storability::kNoFreshness, {{"ETag", "\"a\""}}, 400},
      {"401 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 401},
      {"403 with freshness", Storability::kStore, {{"Expires", At(60)}}, 403},
      {"403 without freshness", Storability::kNoFreshness, {{"ETag", "\"a\""}}, 403},
      {"431 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 431},
      {"412 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 412},
      {"416 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 416},
      {"413 with freshness", Storability::kRequestFault, {{"Cache-Control", "public, max-age=1"}}, 413},
      {"412 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 412},
      {"416 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 416},
      {"428 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 428},
      {"429 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 429},
      {"511 with freshness", Storability::kRequestFault, {{"Cache-Control", "max-age=1"}}, 511},
      {"302 without freshness", Storability::kNoFreshness, {{"ETag", "\"a\""}}, 302},
      {"nothing to reuse", Storability::kNothingToReuse, {}},
      {"max-age=0 and no validator", Storability::kNothingToReuse, {{"Cache-Control", "max-age=0"}}},
      {"stale while revalidated, and no validator",
       Storability::kStore,
       {{"Cache-Control", "max-age=0, stale-while-revalidate=9"}}},
      {"stale if error, and no validator",
       Storability::kStore,
       {{"Cache-Control", "max-age=0, stale-if-error=9"}}},
      {"older than all that RFC 5861 allows",
       Storability::kNothingToReuse,
       {{"Cache-Control", "max-age=9, stale-while-revalidate=9"}, {"Age", "18"}}},
      {"never stale, and no validator",
       Storability::kNothingToReuse,
       {{"Cache-Control", "max-age=0, stale-while-revalidate=9, must-revalidate"}}},
      {"no-cache and no validator", Storability::kNothingToReuse, {{"Cache-Control", "no-cache, max-age=9"}}},
      {"no-cache with validator", Storability::kStore, {{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}}},
      {"already older than its lifetime",
       Storability::kNothingToReuse,
       {{"Cache-Control", "max-age=9"}, {"Age", "9"}}},
      {"no-store", Storability::kResponseNoStore, {{"Cache-Control", "no-store, max-age=9"}}},
      {"request no-store",
       Storability::kRequestNoStore,
       {{"Cache-Control", "max-age=9"}},
       200,
       {{"Cache-Control", "no-store"}}},
      {"private", Storability::kPrivate, {{"Cache-Control", "private, max-age=9"}}},
      {"private field only", Storability::kStore, {{"Cache-Control", "private=\"x\", max-age=9"}}},
      {"must-understand, known",
       Storability::kStore,
       {{"Cache-Control", "no-store, must-understand, max-age=9"}}},
      {"must-understand, unknown",
       Storability::kNotUnderstood,
       {{"Cache-Control", "no-store, must-understand, max-age=9"}},
       599},
      {"Authorization",
       Storability::kAuthorization,
       {{"Cache-Control", "max-age=9"}},
       200,
       {{"Authorization", "x"}}},
      {"Authorization, private",
       Storability::kAuthorization,
       {{"Cache-Control", "max-age=9, private, must-revalidate"}},
       200,
       {{"Authorization", "x"}}},
      {"Authorization, no-store",
       Storability::kAuthorization,
       {{"Cache-Control", "no-store, s-maxage=9"}},
       200,
       {{"Authorization", "x"}}},
      {"Authorization, public",
       Storability::kStore,
       {{"Cache-Control", "max-age=9, public"}},
       200,
       {{"Authorization", "x"}}},
      {"Authorization, s-maxage",
       Storability::kStore,
       {{"Cache-Control", "s-maxage=9"}},
       200,
       {{"Authorization", "x"}}},
      {"Authorization, must-revalidate",
       Storability::kStore,
       {{"Cache-Control", "max-age=9, must-revalidate"}},
       200,
       {{"Authorization", "x"}}},
      {"Set-Cookie", Storability::kSetCookie, {{"Cache-Control", "max-age=9"}, {"Set-Cookie", "a=b"}}},
      {"Set-Cookie that no-cache takes out",
       Storability::kStore,
       {{"Cache-Control", "max-age=9, no-cache=\"x, Set-Cookie\""}, {"Set-Cookie", "a=b"}}},
      {"Set-Cookie that private takes out",
       Storability::kStore,
       {{"Cache-Control", "max-age=9, private=set-cookie"}, {"Set-Cookie", "a=b"}}},
      {"Vary star", Storability::kVaryStar, {{"Cache-Control", "max-age=9"}, {"Vary", "x, *"}}},
      {"1xx", Storability::kNotFinal, {{"Cache-Control", "max-age=9"}}, 103},
      {"206", Storability::kPartial, {{"Cache-Control", "max-age=9"}}, 206},
      {"304", Storability::kPartial, {{"Cache-Control", "max-age=9"}}, 304},
      {"HEAD", Storability::kMethod, {{"Cache-Control", "max-age=9"}}, 200, {}, "HEAD"},
      {"POST", Storability::kMethod, {{"Cache-Control", "max-age=9"}}, 200, {}, "POST"},
      {"methods have case", Storability::kMethod, {{"Cache-Control", "max-age=9"}}, 200, {}, "get"},
  };
  for (const StoreCase& c : cases) {
    const auto verdict = JudgeStorability(c.method, c.request, Response(c.response, c.status), CachePolicy());
    EXPECT_EQ(Name(verdict), Name(c.expected)) << c.name;
  }
}

TEST(Storability, SetCookieIsASwitch) {
  CachePolicy policy;
  policy.store_set_cookie = true;
  const ResponseHead response = Response({{"Cache-Control", "max-age=9"}, {"Set-Cookie", "a=b"}});
  EXPECT_EQ(JudgeStorability("GET", {}, response, policy), Storability::kStore);
}

TEST(Storability, OfAPartIsThatOfTheWholeItBelongsTo) {
  const ResponseHead part = Response({{"Cache-Control", "max-age=60"}}, 206);
  EXPECT_EQ(JudgeStorability("GET", {}, part, CachePolicy()), Storability::kPartial);
  EXPECT_EQ(JudgePart({}, part, CachePolicy()), Storability::kStore);
  const ResponseHead is_private = Response({{"Cache-Control", "private"}}, 206);
  EXPECT_EQ(JudgePart({}, is_private, CachePolicy()), Storability::kPrivate);
  EXPECT_EQ(JudgePart({}, Response({}, 206), CachePolicy()), Storability::kNothingToReuse);
}

TEST(Storability, LeavesOutHopByHopAndQualifiedFields) {
  const HeaderList stored =
      HeadersToStore({{"Connection", "X-Hop"},
                      {"X-Hop", "1"},
                      {"Cache-Control", "no-cache=\"x-nc\", private=\"x-p\", max-age=9"},
                      {"X-NC", "1"},
                      {"X-P", "1"},
                      {"X-Kept", "1"}});
  EXPECT_EQ(stored.text(), "Cache-Control: no-cache=\"x-nc\", private=\"x-p\", max-age=9\r\nX-Kept: 1\r\n");
}

}  // namespace
}  // namespace perigee::http
