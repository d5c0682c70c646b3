// A responder with steering that knows a few clients, and a client's view of its answers.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/testing/desk.h"
#include "services/dns/responder/testing/fake_steering.h"

namespace perigee::dns::testing {

class ResponderFixture : public ::testing::Test {
 protected:
  ResponderFixture() : out_(kTcpLimit) {
    steering_.Know("198.18.7.7", AnswerV4("198.18.0.7"));
    SteeredAnswer both = AnswerV4("198.18.0.7");
    both.v6.Add(IpAddress::Parse("fd00::7").value());
    steering_.Know("198.18.8.8", both);
    steering_.Know("198.18.9.9", {});
  }

  Asker By(std::string_view client, Transport transport = Transport::kUdp) const {
    return {IpAddress::Parse(client).value(), transport, desk_.clock.Now()};
  }

  // What is answered from the next query on.
  void Publish(Authority authority) {
    desk_.authority.Publish(std::make_shared<const Authority>(std::move(authority)));
  }

  uint64_t Dropped(DropReason reason) const {
    return Sum([=](const QueryCounters& c) { return c.by_drop[reason].value(); });
  }
  uint64_t Subnets(SubnetUse use) const {
    return Sum([=](const QueryCounters& c) { return c.by_subnet[use].value(); });
  }
  uint64_t Sent(Rcode rcode) const {
    return Sum([=](const QueryCounters& c) { return c.by_rcode[static_cast<size_t>(rcode)].value(); });
  }

  Outcome Answer(const Bytes& query, std::string_view client = "198.18.7.7",
                 Transport transport = Transport::kUdp) {
    return responder_->Answer(query, By(client, transport), out_);
  }

  Message Ask(const Bytes& query, std::string_view client = "198.18.7.7",
              Transport transport = Transport::kUdp) {
    const Outcome outcome = Answer(query, client, transport);
    EXPECT_EQ(outcome.action, Action::kSend);
    auto message = Decode(std::span(out_).first(outcome.size));
    EXPECT_TRUE(message.has_value());
    return message.value_or(Message());
  }
  Message Ask(const QuerySpec& spec, std::string_view client = "198.18.7.7") {
    return Ask(MakeQuery(spec), client);
  }

  // With ten answers a second too.
  Authority Guarded() {
    Authority authority = TalkativeAuthority(&steering_);
    authority.limiter =
        std::make_shared<RateLimiter>(RateLimitOptions{.responses_per_second = 10, .slip = 2});
    return authority;
  }

  static void ExpectNegative(const Message& m, uint32_t ttl) {
    EXPECT_NE(m.flags & kFlagAa, 0);
    EXPECT_TRUE(m.answer.empty());
    ASSERT_EQ(m.authority.size(), 1u);
    EXPECT_EQ(m.authority[0].type, RrType::kSoa);
    EXPECT_EQ(m.authority[0].owner, "cdn.example.org.");
    EXPECT_EQ(m.authority[0].ttl, ttl);
  }

  template <typename Read>
  uint64_t Sum(Read read) const {
    uint64_t sum = 0;
    desk_.counters.ForEach([&](const QueryCounters& c) { sum += read(c); });
    return sum;
  }

  FakeSteering steering_;
  Bytes out_;
  Desk desk_{&steering_};
  std::unique_ptr<Responder> responder_ = desk_.NewResponder();
};

}  // namespace perigee::dns::testing
