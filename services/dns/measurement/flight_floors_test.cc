// Clients that nobody measures, while the last hops before them answer.
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/dns/measurement/testing_board.h"

namespace perigee::dns {
namespace {

// Four replicas and a client of which three tell floors; each took 200 ms for its ladder beyond control and
// floor.
class FloorsTest : public FlightBoardTest {
 protected:
  // When it was answered, counted from its query, and how.
  std::pair<MonoTime::duration, Decision> AnswerWithHold(milliseconds hold) {
    FleetState fleet({{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}});
    const std::vector<milliseconds> control = {milliseconds(10), milliseconds(50), milliseconds(60),
                                               milliseconds(100)};
    for (size_t i = 0; i < 4; ++i) fleet.SetControlRtt(ToReplicaId(i), control[i]);
    RttMap map(4, 1000, MonoTime{});
    FlightOptions options;
    options.hold = hold;
    board_.emplace(options, fleet, map, *this, clock_, permit_);
    const MonoTime start = clock_.Now();
    std::optional<MonoTime> answered;
    Decision decision;
    board_->Park(KeyOf(kClient), [&](const FlightOutcome* outcome) {
      answered = clock_.Now();
      decision = outcome->decision;
    });
    const std::vector<milliseconds> floors = {milliseconds(30), milliseconds(20), milliseconds(40)};
    for (size_t i = 0; i < floors.size(); ++i) {
      const auto at = start + control[i] + floors[i] + milliseconds(200);
      Pass(static_cast<int>(std::chrono::duration_cast<milliseconds>(at - clock_.Now()).count()));
      board_->OnAnswer(1, ToReplicaId(i), {floors[i], Method::kLastHop});
    }
    EXPECT_FALSE(answered) << "the fourth could not have told a floor of 20 ms yet";
    Pass(1000);
    board_.reset();
    return {answered.value_or(start) - start, decision};
  }
};

TEST_F(FloorsTest, SettleItOnceNobodyWhoIsAwaitedCanBeNearer) {
  const auto [after, decision] = AnswerWithHold(milliseconds(500));
  EXPECT_EQ(after, milliseconds(100 + 20 + 200) + kControlSlack);
  EXPECT_EQ(decision.replica, ToReplicaId(1));
  EXPECT_EQ(decision.reason, Reason::kLeastFloor);
}

TEST_F(FloorsTest, DecideWhenTheHoldExpires) {
  const auto [after, decision] = AnswerWithHold(milliseconds(310));
  EXPECT_EQ(after, milliseconds(310));
  EXPECT_EQ(decision.replica, ToReplicaId(1));
  EXPECT_EQ(decision.reason, Reason::kLeastFloor);
}

}  // namespace
}  // namespace perigee::dns
