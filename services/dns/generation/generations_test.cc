#include "services/dns/generation/generations.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include "gmock/gmock.h"
#include "services/dns/generation/generation_testing.h"
#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using Reloaded = absl::StatusOr<v1::ReloadResponse>;

constexpr seconds kGiveUp{20};
const IpPrefix kPrefix = *IpPrefix::Parse("198.18.7.0/24");
constexpr char kWithStateFile[] = "dns { state_file: 'state.sqlite' }";

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kGiveUp;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string Identity(const Authority& authority) {
  return {authority.identity.begin(), authority.identity.end()};
}

class GenerationsTest : public StateFileTest {
 protected:
  void Start(v1::FleetConfig fleet) {
    auto started = Generations::Start(
        {.load_fleet = [this] { return load_(); },
         .taken = [this](const v1::FleetConfig& taken) { taken_.push_back(taken.dns().identity()); },
         .zones = {.folder = folder_.path()},
         .counters = &counters_},
        std::move(fleet), clock_);
    ASSERT_TRUE(started.ok()) << started.status();
    generations_ = *std::move(started);
  }
  std::future<Reloaded> BeginReload() {
    auto done = std::make_shared<std::promise<Reloaded>>();
    generations_->Reload([done](Reloaded result) { done->set_value(std::move(result)); });
    return done->get_future();
  }
  Reloaded Reload() {
    auto reloaded = BeginReload();
    if (reloaded.wait_for(kGiveUp) != std::future_status::ready) return absl::DeadlineExceededError("no end");
    return reloaded.get();
  }
  Reloaded ReloadWith(absl::StatusOr<v1::FleetConfig> fleet) {
    load_ = [fleet = std::move(fleet)] { return fleet; };
    return Reload();
  }
  void SetState(const std::string& replica, v1::OperatorState state) {
    v1::SetReplicaStateRequest request;
    request.set_replica(replica);
    request.set_state(state);
    const auto response = generations_->SetReplicaState(request);
    EXPECT_TRUE(response.ok()) << response.status();
  }
  OperatorState StateOf(const std::string& replica) {
    FleetState& fleet = generations_->current()->fleet();
    return fleet.operator_state(*fleet.Find(replica));
  }
  std::shared_ptr<const Authority> Served() {
    return Published<Authority>::Reader(generations_->authority()).Last();
  }
  RttMap& map() { return *generations_->current()->map(); }
  MapRow RowAt(MonoTime measured_at, size_t decided = 0) const {
    MapRow row{.decision = {ToReplicaId(decided), Reason::kMeasuredBest}, .measured_at = measured_at};
    row.samples[decided] = {milliseconds(20), Method::kIcmpEcho};
    return row;
  }
  // Whether the prefix is known, and which replica is its.
  std::string Home(const IpPrefix& prefix) {
    const auto generation = generations_->current();
    MapRow row;
    if (!generation->map()->Find(prefix, &row)) return "unknown";
    return generation->fleet().info(row.decision.replica).name;
  }

  SystemClock clock_;
  ServerCounters counters_;
  std::function<absl::StatusOr<v1::FleetConfig>()> load_;
  std::vector<std::string> taken_;  // by their identity
  std::unique_ptr<Generations> generations_;
};

TEST_F(GenerationsTest, AReloadPublishesAWholeNewAuthority) {
  Start(FleetOf({"a", "b"}, "dns { identity: 'one' }"));
  map().Put(kPrefix, RowAt(clock_.Now(), 1));
  EXPECT_EQ(Identity(*Served()), "one");
  Published<Authority>::Reader reader(generations_->authority());
  EXPECT_EQ(Identity(*reader.Current()), "one");

  const auto reloaded = ReloadWith(FleetOf(
      {"b", "c", "d"}, "dns { identity: 'two' metrics_listen: '127.0.0.1:0' } zone { name: 'else.org' }"));
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_EQ(reloaded->replicas(), 3u);
  EXPECT_EQ(reloaded->zones(), 2u);
  EXPECT_THAT(reloaded->needs_restart(), ElementsAre("dns.metrics_listen"));
  EXPECT_EQ(Identity(*reader.Current()), "two");
  EXPECT_EQ(reader.Current()->zones.zones().size(), 2u);
  EXPECT_EQ(generations_->count(), 2u);
  EXPECT_EQ(generations_->View().fleet.size(), 3u);
  EXPECT_EQ(Home(kPrefix), "b");
  EXPECT_EQ(counters_.reloads.succeeded.value(), 1u);
}

TEST_F(GenerationsTest, TheMapItselfGoesOnWhereTheReplicasAreTheSame) {
  Start(FleetOf({"a", "b"}));
  const RttMap* const before = &map();
  ASSERT_TRUE(ReloadWith(FleetOf({"a", "b"}, "zone { name: 'else.org' }")).ok());
  EXPECT_EQ(&map(), before);
}

TEST_F(GenerationsTest, OnlyWhatIsTakenIsToldOf) {
  Start(FleetOf({"a"}, "dns { identity: 'one' }"));
  EXPECT_FALSE(
      ReloadWith(FleetOf({"a"}, "dns { identity: 'two' } zone { name: 'x.org' file: 'none' }")).ok());
  ASSERT_TRUE(ReloadWith(FleetOf({"a"}, "dns { identity: 'three' }")).ok());
  EXPECT_THAT(taken_, ElementsAre("one", "three"));
}

TEST_F(GenerationsTest, AReloadThatFailsLeavesAllAsItWasAndSaysWhy) {
  Start(FleetOf({"a", "b"}, "dns { identity: 'one' }"));
  const auto before = generations_->current();
  const auto served = Served();
  EXPECT_EQ(ReloadWith(absl::NotFoundError("no fleet file")).status(), absl::NotFoundError("no fleet file"));
  EXPECT_EQ(ReloadWith(FleetOf({"a"}, "zone { name: 'x.org' file: 'none' }")).status().message(),
            "zone[0]: \"" + folder_ / "none" + "\": there is no such file");
  EXPECT_EQ(generations_->current(), before);
  EXPECT_EQ(Served(), served);
  EXPECT_EQ(generations_->count(), 1u);
  EXPECT_EQ(counters_.reloads.refused.value(), 2u);
  EXPECT_EQ(counters_.reloads.succeeded.value(), 0u);
}

TEST_F(GenerationsTest, ARetiredGenerationGoesOnlyWhenNobodyUsesIt) {
  Start(FleetOf({"a", "b"}, "dns { identity: 'one' }"));
  const std::weak_ptr<Generation> first = generations_->current();
  std::shared_ptr<const Authority> query = Served();
  ASSERT_TRUE(ReloadWith(FleetOf({"a", "b"}, "dns { identity: 'two' }")).ok());
  ASSERT_TRUE(Reload().ok());  // each reload has looked at the retired ones
  EXPECT_FALSE(first.expired());
  EXPECT_EQ(Identity(*query), "one") << "a query under way sees what it began with";
  query.reset();
  EXPECT_TRUE(Eventually([&] { return first.expired(); }));
  EXPECT_EQ(Identity(*Served()), "two");
}

TEST_F(GenerationsTest, AnOperatorsWordSurvivesReloads) {
  Start(FleetOf({"a", "b"}));
  SetState("b", v1::OPERATOR_STATE_DRAIN);
  ASSERT_TRUE(ReloadWith(FleetOf({"new", "b"})).ok());
  EXPECT_EQ(StateOf("b"), OperatorState::kDrain);
  EXPECT_EQ(StateOf("new"), OperatorState::kAuto);
}

TEST_F(GenerationsTest, WithAStateFileItSurvivesTheProcessAndAReplicasAbsenceToo) {
  Start(FleetOf({"a", "b"}, kWithStateFile));
  SetState("b", v1::OPERATOR_STATE_FORCE_UP);
  ASSERT_TRUE(ReloadWith(FleetOf({"a"}, kWithStateFile)).ok());
  ASSERT_TRUE(ReloadWith(FleetOf({"a", "b"}, kWithStateFile)).ok());
  EXPECT_EQ(StateOf("b"), OperatorState::kForceUp);
  generations_.reset();
  Start(FleetOf({"b"}, kWithStateFile));
  EXPECT_EQ(StateOf("b"), OperatorState::kForceUp);
}

TEST_F(GenerationsTest, TheMapIsSavedUnderTheReplicasNewNumbers) {
  Start(FleetOf({"a", "b"}, kWithStateFile));
  map().Put(kPrefix, RowAt(clock_.Now(), 1));
  ASSERT_TRUE(ReloadWith(FleetOf({"c", "b"}, kWithStateFile)).ok());
  ASSERT_TRUE(ReloadWith(FleetOf({"b"}, kWithStateFile)).ok());
  generations_.reset();
  Start(FleetOf({"d", "e", "b"}, kWithStateFile));
  EXPECT_EQ(Home(kPrefix), "b");
}

TEST_F(GenerationsTest, AStoreThatCannotBeOpenedIsTriedAgainWhileTheNewMapIsServed) {
  Start(FleetOf({"a", "b"}, kWithStateFile));
  std::filesystem::rename(path_, path_ + ".away");
  std::filesystem::create_directory(path_);
  ASSERT_TRUE(ReloadWith(FleetOf({"c", "b"}, kWithStateFile)).ok());
  EXPECT_GE(counters_.saves.failures.value(), 1u);
  map().Put(kPrefix, RowAt(clock_.Now(), 1));
  EXPECT_EQ(Home(kPrefix), "b");

  std::filesystem::remove(path_);
  std::filesystem::rename(path_ + ".away", path_);
  EXPECT_TRUE(Eventually([&] { return counters_.saves.rows.value() > 0; })) << "no reload is needed for it";
  generations_.reset();
  Start(FleetOf({"b"}, kWithStateFile));
  EXPECT_EQ(Home(kPrefix), "b");
}

TEST_F(GenerationsTest, WhatARetiredGenerationStillMeasuresIsNotLost) {
  Start(FleetOf({"a", "b"}));
  auto query = generations_->current();
  const std::weak_ptr<Generation> first = query;
  ASSERT_TRUE(ReloadWith(FleetOf({"b", "c"})).ok());
  const IpPrefix both = *IpPrefix::Parse("198.18.8.0/24");
  const MonoTime now = clock_.Now();
  query->map()->Put(kPrefix, RowAt(now, 1));
  query->map()->Put(both, RowAt(now, 1));
  map().Put(both, RowAt(now + seconds(10), 1));
  EXPECT_EQ(Home(kPrefix), "unknown");
  query.reset();
  EXPECT_TRUE(Eventually([&] { return first.expired(); }));
  EXPECT_EQ(Home(kPrefix), "b");
  EXPECT_EQ(Home(both), "c") << "measured later, and so it stays";
}

TEST_F(GenerationsTest, ReloadsGoOneAfterAnother) {
  Start(FleetOf({"a", "b"}));
  std::promise<void> inside, second_asked;
  std::atomic<int> calls{0}, at_once{0}, most_at_once{0};
  load_ = [&]() -> absl::StatusOr<v1::FleetConfig> {
    most_at_once = std::max(most_at_once.load(), ++at_once);
    const int call = ++calls;
    if (call == 1) {
      inside.set_value();
      second_asked.get_future().wait();
    }
    --at_once;
    return FleetOf(call == 1 ? std::vector<std::string>{"a"} : std::vector<std::string>{"a", "b", "c"});
  };
  auto first = BeginReload();
  inside.get_future().wait();
  auto second = BeginReload();
  EXPECT_EQ(second.wait_for(milliseconds(0)), std::future_status::timeout);
  second_asked.set_value();
  EXPECT_EQ(first.get()->replicas(), 1u);
  EXPECT_EQ(second.get()->replicas(), 3u);
  EXPECT_EQ(most_at_once, 1);
  EXPECT_EQ(generations_->count(), 3u);
  EXPECT_EQ(generations_->View().fleet.size(), 3u);
}

TEST_F(GenerationsTest, TheEndWaitsForAReloadUnderWay) {
  Start(FleetOf({"a", "b"}, kWithStateFile));
  std::promise<void> inside, go_on;
  load_ = [&]() -> absl::StatusOr<v1::FleetConfig> {
    inside.set_value();
    go_on.get_future().wait();
    return FleetOf({"c"}, kWithStateFile);
  };
  auto reload = BeginReload();
  inside.get_future().wait();
  auto end = std::async(std::launch::async, [this] { generations_.reset(); });
  EXPECT_EQ(end.wait_for(milliseconds(0)), std::future_status::timeout);
  go_on.set_value();
  ASSERT_EQ(end.wait_for(kGiveUp), std::future_status::ready);
  ASSERT_EQ(reload.wait_for(milliseconds(0)), std::future_status::ready);
  EXPECT_TRUE(reload.get().ok());
}

TEST_F(GenerationsTest, AStartThatFailsSaysWhyAndLeavesNothing) {
  const auto start = [this](std::string_view more) {
    return Generations::Start({.load_fleet = [this] { return load_(); }, .zones = {.folder = folder_.path()}},
                              FleetOf({"a"}, more), clock_)
        .status()
        .ToString();
  };
  EXPECT_THAT(start("dns { state_file: 'nowhere/state.sqlite' }"),
              ::testing::HasSubstr("nowhere/state.sqlite.lock"));
  EXPECT_THAT(start("control { ca_file: '/none' certificate_file: '/none' key_file: '/none' }"),
              ::testing::HasSubstr("control: \"/none\""));
}

}  // namespace
}  // namespace perigee::dns
