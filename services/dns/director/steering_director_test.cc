#include "services/dns/director/steering_director.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/dns/measurement/testing_permit.h"
#include "services/dns/responder/testing/allocation_counter.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ClientKey kClient = KeyOf(*IpAddress::Parse("198.18.7.7"));

ReplicaInfo Info(const char* name, int host) {
  return {.name = name,
          .ipv4 = *IpAddress::Parse("192.0.2." + std::to_string(host)),
          .ipv6 = *IpAddress::Parse("2001:db8::" + std::to_string(host))};
}

// Three replicas without a prober, so that a measurement ends at once with the fallback; and a loop that
// nobody runs until the test does.
class SteeringDirectorTest : public ::testing::Test {
 protected:
  SteeringDirectorTest() {
    for (size_t i = 0; i < 3; ++i) fleet_.SetUp(Part::kProber, ToReplicaId(i), false);
    options_.addresses_per_answer = 1;
    Make();
  }
  // After a change of options_.
  void Make() {
    clients_.emplace(map_, fleet_, options_);
    loop_.emplace(io_, FlightOptions{.rules = options_.rules}, fleet_, map_, probers_, clock_, permit_);
    director_.emplace(*clients_, fleet_, *loop_, options_);
  }
  // a is 20, b 10 and c 40 ms away.
  void Know(const ClientKey& client = kClient) {
    MapRow row{.decision = {ToReplicaId(1), Reason::kMeasuredBest},
               .rules = options_.rules.Fingerprint(),
               .measured_at = clock_.Now()};
    const int ms[] = {20, 10, 40};
    for (size_t i = 0; i < 3; ++i) row.samples[i] = {milliseconds(ms[i]), Method::kIcmpEcho};
    map_.Put(client.prefix, row);
  }
  SteeredAnswer Answer(const ClientKey& client = kClient) {
    SteeredAnswer answer;
    EXPECT_TRUE(director_->Find(client, clock_.Now(), &answer));
    return answer;
  }
  static std::vector<std::string> Texts(const AddressList& list) {
    std::vector<std::string> texts;
    for (const IpAddress& address : list.items()) texts.push_back(address.ToString());
    return texts;
  }
  void SetOverride(std::string_view prefix, size_t replica) {
    options_.overrides = Overrides({{IpPrefix::Parse(prefix).value(), ToReplicaId(replica)}});
    Make();
  }
  using Strings = std::vector<std::string>;

  boost::asio::io_context io_;
  FakeClock clock_;
  FleetState fleet_{{Info("a", 1), Info("b", 2), Info("c", 3)}};
  RttMap map_{3, 1000, clock_.Now()};
  ProberClient probers_{{}};
  SteeringOptions options_;
  std::optional<KnownClients> clients_;
  OpenPermit permit_;
  std::optional<MeasurementLoop> loop_;
  std::optional<SteeringDirector> director_;
};

TEST_F(SteeringDirectorTest, AKnownClientGetsItsReplicaAndAllThatIsToBeSaidOfIt) {
  Know();
  const SteeredAnswer answer = Answer();
  EXPECT_EQ(Texts(answer.v4), Strings{"192.0.2.2"});
  EXPECT_EQ(Texts(answer.v6), Strings{"2001:db8::2"});
  EXPECT_EQ(answer.ttl, seconds(60));
  EXPECT_EQ(answer.scope_length, 24);
  EXPECT_EQ(answer.replica, "b");
  EXPECT_EQ(answer.reason, Reason::kMeasuredBest);
  EXPECT_EQ(answer.sample.rtt, milliseconds(10));
}

TEST_F(SteeringDirectorTest, ANetworkThatAResolverToldIsKnownByItsOwnLengthAlone) {
  const ClientKey wide = KeyOf(*IpPrefix::Parse("198.18.0.0/20"));
  Know(wide);
  EXPECT_EQ(Answer(wide).scope_length, 20);
  SteeredAnswer answer;
  EXPECT_FALSE(director_->Find(kClient, clock_.Now(), &answer))
      << "what is known of the /20 was measured elsewhere in it";
}

TEST_F(SteeringDirectorTest, AnUnknownClientIsParkedAndAnsweredByTheFallback) {
  SteeredAnswer answer;
  EXPECT_FALSE(director_->Find(kClient, clock_.Now(), &answer));
  director_->Park(kClient, [&](const SteeredAnswer* given) {
    ASSERT_NE(given, nullptr);
    answer = *given;
  });
  io_.poll();
  EXPECT_EQ(answer.v4.items().size(), 1u);
  EXPECT_EQ(answer.reason, Reason::kHashed);
  EXPECT_EQ(answer.ttl, seconds(5));
  EXPECT_EQ(answer.scope_length, 24);
}

TEST_F(SteeringDirectorTest, NobodyIsMeasuredForABeacon) {
  SteeredAnswer answer;
  director_->FindUnmeasured(kClient, clock_.Now(), &answer);
  EXPECT_EQ(answer.v4.items().size(), 1u);
  EXPECT_EQ(answer.reason, Reason::kHashed);
  Know();
  clock_.Advance(seconds(3601));
  director_->FindUnmeasured(kClient, clock_.Now(), &answer);
  EXPECT_EQ(answer.replica, "b");
  EXPECT_EQ(io_.poll(), 0u) << "neither the stranger nor who has aged";
  io_.restart();
  Answer();
  EXPECT_EQ(io_.poll(), 1u) << "the site's own name does it";
}

TEST_F(SteeringDirectorTest, AnOverrideNeedsNoMeasurement) {
  SetOverride("198.18.0.0/16", 2);
  const SteeredAnswer answer = Answer();
  EXPECT_EQ(answer.replica, "c");
  EXPECT_EQ(answer.reason, Reason::kOverride);
  EXPECT_EQ(answer.ttl, seconds(60));
  EXPECT_EQ(answer.scope_length, 16);
  Know();
  EXPECT_EQ(Answer().replica, "c");
  fleet_.SetUp(Part::kServer, ToReplicaId(2), false);
  EXPECT_EQ(Answer().replica, "b") << "as if there were none";
  EXPECT_EQ(Answer().scope_length, 24);
}

TEST_F(SteeringDirectorTest, AnswersCarryTheNextBestToo) {
  options_.addresses_per_answer = 2;
  Know();
  EXPECT_EQ(Texts(Answer().v4), (Strings{"192.0.2.2", "192.0.2.1"}));
  options_.addresses_per_answer = 8;
  EXPECT_EQ(Texts(Answer().v6), (Strings{"2001:db8::2", "2001:db8::1", "2001:db8::3"}));
  fleet_.SetUp(Part::kServer, ToReplicaId(1), false);
  EXPECT_EQ(Texts(Answer().v4), (Strings{"192.0.2.1", "192.0.2.3"}));
  SetOverride("198.18.7.0/24", 2);
  EXPECT_EQ(Texts(Answer().v4), Strings{"192.0.2.3"}) << "an operator's choice stands alone";
}

TEST_F(SteeringDirectorTest, WithAllDownTheLastGoodAnswerOrServfailAsTheOperatorWants) {
  Know();
  for (size_t i = 0; i < 3; ++i) fleet_.SetUp(Part::kServer, ToReplicaId(i), false);
  EXPECT_EQ(Answer().replica, "b");
  EXPECT_EQ(Answer().reason, Reason::kAllDown);
  EXPECT_EQ(Answer().ttl, seconds(5));
  options_.all_down = AllDownPolicy::kServfail;
  for (const size_t addresses : {1, 3}) {
    options_.addresses_per_answer = addresses;
    EXPECT_TRUE(Answer().v4.empty());
    EXPECT_TRUE(Answer().v6.empty());
    EXPECT_EQ(Answer().replica, "");
    EXPECT_EQ(Answer().reason, Reason::kAllDown);
  }
  bool empty = false;
  director_->Park(kClient,
                  [&](const SteeredAnswer* given) { empty = given != nullptr && given->v4.empty(); });
  io_.poll();
  EXPECT_TRUE(empty);
}

TEST_F(SteeringDirectorTest, OneReplicaAloneIsAnAnswerForEveryone) {
  FleetState one({Info("a", 1)});
  RttMap map(1, 100, clock_.Now());
  MapRow row{.decision = {ToReplicaId(0), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
  map.Put(kClient.prefix, row);
  const KnownClients clients(map, one, options_);
  KnownClient known;
  ASSERT_TRUE(clients.Find(kClient, clock_.Now(), &known));
  EXPECT_EQ(known.scope_length, 0);
}

TEST_F(SteeringDirectorTest, ManyQueriesOfAStaleClientAskForOneMeasurement) {
  Know();
  clock_.Advance(seconds(3601));
  for (int i = 0; i < 1000; ++i) Answer();
  EXPECT_EQ(io_.poll(), 1u);
  clock_.Advance(kRefreshInterval);
  for (int i = 0; i < 1000; ++i) Answer();
  io_.restart();
  EXPECT_EQ(io_.poll(), 1u);
}

TEST_F(SteeringDirectorTest, KnownClientsAreAnsweredWithoutAllocation) {
  Know();
  SteeredAnswer answer;
  const auto count = [&] {
    const size_t before = dns::testing::AllocationCount();
    EXPECT_TRUE(director_->Find(kClient, clock_.Now(), &answer));
    return dns::testing::AllocationCount() - before;
  };
  EXPECT_EQ(count(), 0u);
  fleet_.SetOverloaded(ToReplicaId(1), true);
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(answer.reason, Reason::kShed);
  options_.addresses_per_answer = 8;
  EXPECT_EQ(count(), 0u);
  SetOverride("198.18.0.0/16", 2);
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(answer.reason, Reason::kOverride);
}

}  // namespace
}  // namespace perigee::dns
