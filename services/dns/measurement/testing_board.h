// A flight board of three replicas on a fake clock, without a network, for tests.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "services/dns/measurement/flight_board.h"

namespace perigee::dns {

using std::chrono::milliseconds;

inline const IpAddress kClient = *IpAddress::Parse("198.18.7.7");
inline const IpAddress kSamePrefix = *IpAddress::Parse("198.18.7.99");

// Three replicas, 10, 50 and 100 ms of control RTT away, and a board on a fake clock.
class FlightBoardTest : public testing::Test, public ProberCalls {
 protected:
  FlightBoardTest() { Make({}); }

  void Make(const FlightOptions& options) {
    board_.reset();
    const int control[] = {10, 50, 100};
    for (int i = 0; i < 3; ++i) fleet_.SetControlRtt(ToReplicaId(i), milliseconds(control[i]));
    board_.emplace(options, fleet_, map_, *this, clock_, permit_, &counters_);
  }

  void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t probes,
               milliseconds) override {
    calls_.push_back({flight, replica});
    last_client_ = client;
    last_probes_ = probes;
  }

  void Park(const IpAddress& client = kClient) { Park(KeyOf(client)); }
  void Park(const ClientKey& client) {
    board_->Park(client, [this](const FlightOutcome* outcome) {
      if (outcome == nullptr) {
        ++dropped_;
      } else {
        answers_.push_back(outcome->decision);
      }
    });
  }
  void Answer(int replica, int rtt_ms, uint64_t flight = 1) {
    board_->OnAnswer(flight, ToReplicaId(replica), {milliseconds(rtt_ms), Method::kIcmpEcho});
  }
  void AnswerSilent(int replica) { board_->OnAnswer(1, ToReplicaId(replica), {Rtt{}, Method::kSilent}); }
  void Fail(int replica) { board_->OnAnswer(1, ToReplicaId(replica), {}); }

  // Lets the time pass, calling OnTime exactly when asked to.
  void Pass(int ms) {
    const MonoTime until = clock_.Now() + milliseconds(ms);
    for (auto due = board_->next_due(); due && *due <= until; due = board_->next_due()) {
      clock_.Advance(*due - clock_.Now());
      board_->OnTime();
    }
    clock_.Advance(until - clock_.Now());
  }
  MapRow Row() {
    MapRow row;
    EXPECT_TRUE(map_.Find(ClientPrefix(kClient), &row));
    return row;
  }
  bool Known() {
    MapRow row;
    return map_.Find(ClientPrefix(kClient), &row);
  }

  FakeClock clock_;
  MeasurementCounters counters_;
  FleetState fleet_{{{.name = "a"}, {.name = "b"}, {.name = "c"}}};
  RttMap map_{3, 1000, MonoTime{}};
  // Gives `verdict` for everybody, but refuses hearsay of networks from which no connection came.
  struct : Permit {
    absl::Status Ask(const ClientKey& client, MonoTime) override {
      const bool is_hearsay =
          client.hearsay_of && !std::count(connected.begin(), connected.end(), client.prefix);
      return is_hearsay ? absl::PermissionDeniedError("hearsay") : verdict;
    }
    void OnConnection(const IpPrefix& client) override { connected.push_back(client); }

    absl::Status verdict;
    std::vector<IpPrefix> connected;
  } permit_;
  std::vector<std::pair<uint64_t, ReplicaId>> calls_;
  std::vector<Decision> answers_;
  IpAddress last_client_;
  uint32_t last_probes_ = 0;
  int dropped_ = 0;
  std::optional<FlightBoard> board_;
};

}  // namespace perigee::dns
