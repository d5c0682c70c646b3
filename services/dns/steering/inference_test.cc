#include "services/dns/steering/inference.h"

#include <array>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

TEST(JoinPassive, StandsWhereNoProbeWasAnswered) {
  for (const Method method : {Method::kUnknown, Method::kSilent}) {
    Sample known{Rtt{}, method};
    JoinPassive(milliseconds(30), &known);
    EXPECT_EQ(known.rtt, milliseconds(30));
    EXPECT_EQ(known.method, Method::kPassive);
  }
}

TEST(JoinPassive, OnlyALesserTimeCorrectsAProbe) {
  Sample known{milliseconds(20), Method::kIcmpEcho};
  EXPECT_FALSE(JoinPassive(milliseconds(30), &known));
  EXPECT_EQ(known.rtt, milliseconds(20));
  EXPECT_EQ(known.method, Method::kIcmpEcho);
  JoinPassive(milliseconds(12), &known);
  EXPECT_EQ(known.rtt, milliseconds(12));
  EXPECT_EQ(known.method, Method::kPassive);
}

TEST(JoinPassive, AGreaterTimeIsBelievedSlowly) {
  Sample known{milliseconds(20), Method::kPassive};
  JoinPassive(milliseconds(100), &known);
  EXPECT_EQ(known.rtt, milliseconds(30));
  for (int i = 0; i < 100; ++i) JoinPassive(milliseconds(100), &known);
  EXPECT_GT(known.rtt, milliseconds(99)) << "but in the end it is: the path has changed";
}

TEST(Blend, OneClientDoesNotSpeakForAll) {
  Sample around;
  Blend({Rtt{}, Method::kSilent}, &around);
  EXPECT_FALSE(around.measured());
  Blend({milliseconds(20), Method::kIcmpEcho}, &around);
  EXPECT_EQ(around.rtt, milliseconds(20));
  Blend({milliseconds(220), Method::kTcpSyn}, &around);
  EXPECT_EQ(around.rtt, milliseconds(70));
  Blend({Rtt{}, Method::kSilent}, &around);
  EXPECT_EQ(around.rtt, milliseconds(70));
}

TEST(Estimate, PrefersWhatIsTheClientsOwn) {
  const std::array<Sample, 3> own = {Sample{milliseconds(40), Method::kPassive},
                                     Sample{Rtt{}, Method::kSilent}, Sample{}};
  const std::array<Sample, 3> around = {Sample{milliseconds(20), Method::kIcmpEcho},
                                        Sample{milliseconds(35), Method::kTcpSyn}, Sample{}};
  std::array<Sample, 3> out;
  Estimate(own, around, ReplicaDistances(3), out);
  EXPECT_EQ(out[0].rtt, milliseconds(40));
  EXPECT_EQ(out[1].rtt, milliseconds(35));
  EXPECT_FALSE(out[2].measured());
}

TEST(Estimate, AClientUnlikeItsNeighboursIsBoundByItsOwn) {
  const std::array<Sample, 3> own = {Sample{milliseconds(150), Method::kPassive}};
  const std::array<Sample, 3> around = {Sample{milliseconds(20), Method::kIcmpEcho},
                                        Sample{milliseconds(35), Method::kTcpSyn},
                                        Sample{milliseconds(160), Method::kTcpSyn}};
  ReplicaDistances distances(3);
  distances.Set(ToReplicaId(0), ToReplicaId(1), milliseconds(20));
  std::array<Sample, 3> out;
  Estimate(own, around, distances, out);
  EXPECT_EQ(out[0].rtt, milliseconds(150));
  EXPECT_EQ(out[1].rtt, milliseconds(130));
  EXPECT_FALSE(out[2].measured()) << "its distance is not known";
  distances.Set(ToReplicaId(0), ToReplicaId(2), milliseconds(145));
  Estimate(own, around, distances, out);
  EXPECT_EQ(out[2].rtt, milliseconds(5)) << "worth a try";
}

TEST(Estimate, FloorsCountAsMeasuredBesideWhatIsTheClientsOwn) {
  const std::array<Sample, 2> own = {Sample{milliseconds(40), Method::kPassive},
                                     Sample{milliseconds(25), Method::kLastHop}};
  const std::array<Sample, 2> floors = {Sample{}, Sample{milliseconds(25), Method::kLastHop}};
  std::array<Sample, 2> out;
  Estimate(own, floors, ReplicaDistances(2), out);
  EXPECT_EQ(out[0].rtt, milliseconds(40));
  EXPECT_TRUE(out[1].measured()) << "to be chosen, and then timed by its connections";
  EXPECT_EQ(out[1].rtt, milliseconds(25));
}

}  // namespace
}  // namespace perigee::dns
