#include "services/prober/scamper_session.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Result(uint32_t user_id, std::string_view responses = "") {
  const std::string json = R"({"type":"ping","userid":)" + std::to_string(user_id) +
                           R"(,"ping_sent":1,"responses":[)" + std::string(responses) + "]}\n";
  return "DATA " + std::to_string(json.size()) + "\n" + json;
}
constexpr const char* kReply = R"({"seq":0,"rtt":1.5,"icmp_type":0})";

class ScamperSessionTest : public testing::Test {
 protected:
  ScamperSessionTest() {
    EXPECT_EQ(session_.TakeOutput(), "attach format json\n");
    EXPECT_FALSE(session_.attached());
    EXPECT_TRUE(session_.Receive("OK\nMORE\n").ok());
    EXPECT_TRUE(session_.attached());
  }

  uint32_t Ping() {
    const auto id = session_.Ping({.address = *IpAddress::Parse("198.18.0.7")},
                                  [this](absl::StatusOr<PingResult> r) { results_.push_back(std::move(r)); });
    EXPECT_TRUE(id.ok());
    return *id;
  }

  ScamperSession session_;
  std::vector<absl::StatusOr<PingResult>> results_;
};

TEST_F(ScamperSessionTest, ResultsFindTheirPingByUserId) {
  const uint32_t one = Ping(), two = Ping();
  EXPECT_THAT(session_.TakeOutput(), HasSubstr("ping -U " + std::to_string(two)));
  ASSERT_TRUE(session_.Receive("OK id-1\nOK id-2\n" + Result(two) + Result(one, kReply)).ok());
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[0]->user_id, two);
  EXPECT_THAT(results_[1]->rtts, ElementsAre(Rtt(1500)));
  EXPECT_EQ(session_.pending(), 0u);
}

TEST_F(ScamperSessionTest, AResultMayComeBeforeItsOk) {
  const uint32_t id = Ping();
  ASSERT_TRUE(session_.Receive(Result(id, kReply)).ok());
  EXPECT_EQ(results_.size(), 1u);
  EXPECT_TRUE(session_.Receive("OK id-1\n").ok());
  EXPECT_EQ(session_.unacknowledged(), 0u);
}

TEST_F(ScamperSessionTest, ARejectionEndsThePingThatItBelongsTo) {
  Ping();
  const uint32_t second = Ping();
  ASSERT_TRUE(session_.Receive("ERR command not accepted\nOK id-1\n" + Result(second, kReply)).ok());
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[0].status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(results_[1].ok());
}

TEST_F(ScamperSessionTest, HaltNamesTheTask) {
  const uint32_t id = Ping();
  ASSERT_TRUE(session_.Receive("OK id-5\n").ok());
  session_.TakeOutput();
  session_.Halt(id);
  session_.Halt(id);
  EXPECT_EQ(session_.TakeOutput(), "halt 5\n") << "once";
  ASSERT_TRUE(session_.Receive("OK halted 5\n" + Result(id)).ok());
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(ScamperSessionTest, AHaltBeforeTheTaskIdIsKnownIsSentOnceItIs) {
  const uint32_t id = Ping();
  session_.TakeOutput();
  session_.Halt(id);
  EXPECT_EQ(session_.TakeOutput(), "");
  ASSERT_TRUE(session_.Receive("OK id-8\n").ok());
  EXPECT_EQ(session_.TakeOutput(), "halt 8\n");
}

TEST_F(ScamperSessionTest, AHaltThatComesTooLateHarmsNobody) {
  const uint32_t id = Ping();
  ASSERT_TRUE(session_.Receive("OK id-1\n").ok());
  session_.Halt(id);
  ASSERT_TRUE(session_.Receive(Result(id, kReply) + "ERR no task id-1\n").ok());
  EXPECT_TRUE(results_[0].ok());
  session_.Halt(id);
  EXPECT_EQ(session_.unacknowledged(), 0u);
}

TEST_F(ScamperSessionTest, AnAbandonedPingIsHaltedAndSaysNothing) {
  const uint32_t id = Ping();
  ASSERT_TRUE(session_.Receive("OK id-1\n").ok());
  session_.TakeOutput();
  session_.Abandon(id);
  EXPECT_EQ(session_.TakeOutput(), "halt 1\n");
  ASSERT_TRUE(session_.Receive("OK halted 1\n" + Result(id)).ok());
  EXPECT_TRUE(results_.empty());
  EXPECT_EQ(session_.pending(), 0u);
}

TEST_F(ScamperSessionTest, WhoHasNothingToDoIsAskedForASignOfLife) {
  session_.Ask();
  session_.Ask();
  EXPECT_EQ(session_.TakeOutput(), "halt 4294967295\n") << "once, until it has answered";
  EXPECT_EQ(session_.unacknowledged(), 1u);
  ASSERT_TRUE(session_.Receive("ERR no task id--1\n").ok());
  EXPECT_EQ(session_.unacknowledged(), 0u);
  Ping();
  session_.TakeOutput();
  session_.Ask();
  EXPECT_EQ(session_.TakeOutput(), "") << "the ping's own answer will do";
}

TEST_F(ScamperSessionTest, FailEndsEveryPing) {
  Ping();
  Ping();
  session_.Fail(absl::UnavailableError("scamper died"));
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[0].status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ScamperSessionTest, MorePingsThanTheLimitAreRefused) {
  for (size_t i = 0; i < ScamperSession::kMaxPending; ++i) Ping();
  const auto refused = session_.Ping({}, [](const absl::StatusOr<PingResult>&) {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ScamperSessionTest, WhatWasNotAskedIsAnErrorOrPassedOver) {
  EXPECT_TRUE(session_.Receive(Result(999)).ok());
  EXPECT_EQ(session_.Receive("OK id-1\n").code(), absl::StatusCode::kInternal);
}

TEST(ScamperSession, ARefusedAttachIsAnError) {
  ScamperSession session;
  EXPECT_EQ(session.Receive("ERR unhandled format\n").code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace perigee
