#include "services/dns/steering/choose.h"

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

const IpPrefix kPrefix = *IpPrefix::Parse("198.18.7.0/24");

Sample Icmp(int ms) { return {milliseconds(ms), Method::kIcmpEcho}; }
constexpr Sample kSilentSample{Rtt{}, Method::kSilent};

ReplicaSet Only(std::initializer_list<int> ids) {
  ReplicaSet set;
  for (const int id : ids) set.Add(ToReplicaId(id));
  return set;
}

Decision Chosen(const std::vector<Sample>& samples, ReplicaSet healthy,
                std::optional<ReplicaId> previous = std::nullopt, const ChoiceRules& rules = {},
                const IpPrefix& prefix = kPrefix) {
  return Choose({.samples = samples, .healthy = healthy, .previous = previous, .prefix = prefix}, rules);
}

IpPrefix Nth(uint32_t i) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(20 + (i >> 16)), static_cast<uint8_t>(i >> 8),
                            static_cast<uint8_t>(i), 0};
  return IpPrefix(IpAddress::V4(bytes), 24);
}

TEST(Choose, TakesTheNearestMeasured) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), kSilentSample, {}};
  const Decision d = Chosen(samples, ReplicaSet::All(4));
  EXPECT_EQ(d.replica, ToReplicaId(1));
  EXPECT_EQ(d.reason, Reason::kMeasuredBest);
}

TEST(Choose, NeverTakesAnUnhealthyReplicaWhileAnotherIsHealthy) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), Icmp(300)};
  EXPECT_EQ(Chosen(samples, Only({0, 2})).replica, ToReplicaId(0));
  EXPECT_EQ(Chosen(samples, Only({0, 2}), ToReplicaId(1)).replica, ToReplicaId(0));
  const std::vector<Sample> unknown(3);
  EXPECT_EQ(Chosen(unknown, Only({2})).replica, ToReplicaId(2));
}

TEST(Choose, WithAllDownTheNearestIsBetterThanNoAnswer) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20)};
  const Decision d = Chosen(samples, ReplicaSet());
  EXPECT_EQ(d.replica, ToReplicaId(1));
  EXPECT_EQ(d.reason, Reason::kAllDown);
}

TEST(Choose, StaysUnlessAnotherIsNearerByFiveMsOrATenth) {
  const auto stays = [](int current, int best) {
    const std::vector<Sample> samples = {Icmp(current), Icmp(best)};
    const Decision d = Chosen(samples, ReplicaSet::All(2), ToReplicaId(0));
    EXPECT_EQ(d.reason, d.replica == ToReplicaId(0) ? Reason::kHysteresis : Reason::kMeasuredBest);
    return d.replica == ToReplicaId(0);
  };
  EXPECT_TRUE(stays(20, 15));    // 5 ms is not more than 5 ms
  EXPECT_FALSE(stays(20, 14));   // 6 ms is
  EXPECT_TRUE(stays(200, 180));  // a tenth of 200 is 20 ms
  EXPECT_FALSE(stays(200, 179));
}

TEST(Choose, WithAllDownTheLastGoodAnswerStays) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20)};
  const Decision d = Chosen(samples, ReplicaSet(), ToReplicaId(0));
  EXPECT_EQ(d.replica, ToReplicaId(0));
  EXPECT_EQ(d.reason, Reason::kAllDown);
}

TEST(Choose, AnOperatorsReplicaComesFirstWhileItIsHealthy) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20)};
  ChoiceInputs inputs{.samples = samples,
                      .healthy = ReplicaSet::All(2),
                      .avoided = Only({0}),
                      .set_by_operator = ToReplicaId(0),
                      .prefix = kPrefix};
  EXPECT_EQ(Choose(inputs, {}).replica, ToReplicaId(0));
  EXPECT_EQ(Choose(inputs, {}).reason, Reason::kOverride);
  inputs.healthy = Only({1});
  EXPECT_EQ(Choose(inputs, {}).replica, ToReplicaId(1));
  EXPECT_EQ(Choose(inputs, {}).reason, Reason::kMeasuredBest);
  inputs.healthy = ReplicaSet();
  EXPECT_EQ(Choose(inputs, {}).reason, Reason::kAllDown);
}

TEST(Choose, AnOverloadedReplicaShedsItsClientsToTheNextUnlessAllAreOverloaded) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), Icmp(40)};
  const auto with = [&](ReplicaSet overloaded) {
    return Choose({.samples = samples,
                   .healthy = ReplicaSet::All(3),
                   .avoided = overloaded,
                   .previous = ToReplicaId(1),
                   .prefix = kPrefix},
                  {});
  };
  EXPECT_EQ(with(Only({1})).replica, ToReplicaId(2));
  EXPECT_EQ(with(Only({1})).reason, Reason::kShed);
  EXPECT_EQ(with(Only({1, 2})).replica, ToReplicaId(0));
  EXPECT_EQ(with(Only({0, 1, 2})).replica, ToReplicaId(1));
  EXPECT_EQ(with(Only({0, 1, 2})).reason, Reason::kMeasuredBest);
  EXPECT_EQ(with(Only({0})).reason, Reason::kMeasuredBest) << "the nearest was not left out";
}

TEST(Choose, TheBandIsThoseWithinFiveMsOrATenthOfTheNearest) {
  const ChoiceRules band{.band = true};
  const auto members = [&](const std::vector<Sample>& samples) {
    ReplicaSet seen;
    for (uint32_t i = 0; i < 200; ++i) {
      seen.Add(Chosen(samples, ReplicaSet::All(samples.size()), std::nullopt, band, Nth(i)).replica);
    }
    return seen.word(0);
  };
  EXPECT_EQ(members({Icmp(20), Icmp(25), Icmp(26), kSilentSample}), Only({0, 1}).word(0));
  EXPECT_EQ(members({Icmp(200), Icmp(220), Icmp(221)}), Only({0, 1}).word(0));
  EXPECT_EQ(Chosen({Icmp(20), Icmp(25)}, ReplicaSet::All(2), std::nullopt, band).reason, Reason::kBand);
  EXPECT_EQ(Chosen({Icmp(20), Icmp(90)}, ReplicaSet::All(2), std::nullopt, band).reason,
            Reason::kMeasuredBest);
}

TEST(Choose, TheBandKeepsAClientWithItsReplicaAsLongAsItIsInTheBand) {
  const ChoiceRules band{.band = true, .weights = {1, 10'000}};
  const auto chosen = [&](int current) {
    return Chosen({Icmp(current), Icmp(20)}, ReplicaSet::All(2), ToReplicaId(0), band).replica;
  };
  EXPECT_EQ(chosen(25), ToReplicaId(0));
  EXPECT_EQ(chosen(26), ToReplicaId(1));
}

TEST(Choose, TheBandGivesTheSameClientTheSameReplica) {
  const ChoiceRules band{.band = true};
  const std::vector<Sample> samples = {Icmp(20), Icmp(21), Icmp(22)},
                            jittered = {Icmp(22), Icmp(20), Icmp(23)};
  for (uint32_t i = 0; i < 1000; ++i) {
    const ReplicaId first = Chosen(samples, ReplicaSet::All(3), std::nullopt, band, Nth(i)).replica;
    EXPECT_EQ(Chosen(jittered, ReplicaSet::All(3), std::nullopt, band, Nth(i)).replica, first);
  }
}

TEST(Choose, HashingMovesOnlyTheClientsOfALostReplicaWhateverTheWeights) {
  const std::vector<Sample> unknown(5);
  const ChoiceRules rules{.weights = {100, 50, 700, 1, 300}};
  for (uint32_t i = 0; i < 20'000; ++i) {
    const Decision all = Chosen(unknown, ReplicaSet::All(5), std::nullopt, rules, Nth(i));
    EXPECT_EQ(all.reason, Reason::kHashed);
    const ReplicaId left = Chosen(unknown, Only({0, 1, 2, 3}), std::nullopt, rules, Nth(i)).replica;
    if (all.replica != ToReplicaId(4)) {
      EXPECT_EQ(left, all.replica);
    } else {
      EXPECT_NE(left, ToReplicaId(4));
    }
  }
}

TEST(Choose, SharesFollowTheWeightsWithinTwoPerCent) {
  constexpr uint32_t kPrefixes = 100'000;
  const ChoiceRules rules{.weights = {100, 200, 300, 400}};
  for (const bool band : {false, true}) {
    ChoiceRules with = rules;
    with.band = band;
    const std::vector<Sample> samples(4, band ? Icmp(20) : Sample{});
    std::map<ReplicaId, int> load;
    for (uint32_t i = 0; i < kPrefixes; ++i) {
      ++load[Chosen(samples, ReplicaSet::All(4), std::nullopt, with, Nth(i)).replica];
    }
    for (int i = 0; i < 4; ++i) {
      const double expected = kPrefixes * (i + 1) / 10.0;
      EXPECT_NEAR(load[ToReplicaId(i)], expected, kPrefixes * 0.02) << i;
      EXPECT_NEAR(load[ToReplicaId(i)] / expected, 1, 0.03) << i;
    }
  }
}

TEST(NegativeLog2, IsTheLogarithmToTheLastBitsAndNeverZero) {
  EXPECT_EQ(NegativeLog2(uint64_t{1} << 63 | 1), uint64_t{1} << 32);
  EXPECT_EQ(NegativeLog2(0), uint64_t{64} << 32);
  EXPECT_GE(NegativeLog2(~uint64_t{0}), 1u);
  for (uint64_t h = 12345; h < ~uint64_t{0} / 7; h = h * 5 + 1) {
    const double exact = 64 - std::log2(static_cast<double>(h | 1));
    EXPECT_NEAR(static_cast<double>(NegativeLog2(h)) / 4294967296.0, exact, 1e-8) << h;
  }
}

TEST(Ranked, IsTheFirstThenTheMeasuredByDistanceThenTheRest) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), {}, Icmp(40), Icmp(10), Icmp(5)};
  const ChoiceInputs inputs{
      .samples = samples, .healthy = Only({0, 1, 2, 3, 5}), .avoided = Only({5}), .prefix = kPrefix};
  std::array<ReplicaId, 8> out{};
  ASSERT_EQ(Ranked(inputs, {}, ToReplicaId(3), out), 4u);
  EXPECT_EQ(out[0], ToReplicaId(3));
  EXPECT_EQ(out[1], ToReplicaId(1));
  EXPECT_EQ(out[2], ToReplicaId(0));
  EXPECT_EQ(out[3], ToReplicaId(2));
  EXPECT_EQ(Ranked(inputs, {}, ToReplicaId(3), {out.data(), 2}), 2u);
  EXPECT_EQ(Ranked(inputs, {}, ToReplicaId(3), {}), 0u);
}

TEST(ChoiceRules, OtherRulesHaveAnotherFingerprint) {
  const ChoiceRules plain, band{.band = true}, heavy{.weights = {100, 200}}, said{.weights = {100, 100}};
  EXPECT_NE(plain.Fingerprint(), band.Fingerprint());
  EXPECT_NE(plain.Fingerprint(), heavy.Fingerprint());
  EXPECT_EQ(plain.Fingerprint(), said.Fingerprint()) << "the default said aloud";
}

TEST(Words, EveryReasonHasOneOfItsOwn) {
  std::set<std::string_view> words;
  for (const Reason reason : kAllReasons) {
    EXPECT_LT(static_cast<size_t>(reason), kReasons);
    words.insert(Word(reason));
  }
  EXPECT_EQ(words.size(), std::size(kAllReasons));
  EXPECT_FALSE(words.contains("invalid"));
}

TEST(Choose, WithNoneMeasuredTheLeastFloorIsChosen) {
  const std::vector<Sample> samples = {
      {milliseconds(30), Method::kLastHop}, {milliseconds(20), Method::kLastHop}, kSilentSample};
  ChoiceInputs inputs{.samples = samples, .healthy = ReplicaSet::All(3)};
  EXPECT_EQ(Choose(inputs, {}).replica, ToReplicaId(1));
  EXPECT_EQ(Choose(inputs, {}).reason, Reason::kLeastFloor);
  inputs.healthy.Remove(ToReplicaId(1));
  EXPECT_EQ(Choose(inputs, {}).replica, ToReplicaId(0)) << "the next best";
}

TEST(Choose, AFloorIsNoMeasurement) {
  const std::vector<Sample> samples = {{milliseconds(5), Method::kLastHop}, Icmp(20)};
  const ChoiceInputs inputs{.samples = samples, .healthy = ReplicaSet::All(2)};
  EXPECT_EQ(Choose(inputs, {}).replica, ToReplicaId(1)) << "the client may be far behind its last hop";
}

}  // namespace
}  // namespace perigee::dns
