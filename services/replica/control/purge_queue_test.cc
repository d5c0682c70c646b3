#include "services/replica/control/purge_queue.h"

#include <gtest/gtest.h>

#include <future>

namespace perigee::replica {
namespace {

TEST(PurgeQueue, RefusesMoreThanItsLimitAndDoesTheOthersInTurn) {
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::vector<std::string> done;
  {
    PurgeQueue queue([&](const PurgeSelection& what, PurgeKind) -> PurgeQueue::Result {
      opened.wait();
      return what.keys.size();
    });
    for (size_t i = 0; i < kMaxWaitingPurges; ++i) {
      const std::string key = std::to_string(i);
      EXPECT_TRUE(queue.Add({.keys = {key}}, PurgeKind::kHard, [&, key](const PurgeQueue::Result& result) {
        if (result.ok() && *result == 1) done.push_back(key);
      }));
    }
    EXPECT_FALSE(
        queue.Add({.keys = {"x"}}, PurgeKind::kHard, [&](const PurgeQueue::Result&) { ADD_FAILURE(); }));
    gate.set_value();
  }
  ASSERT_EQ(done.size(), kMaxWaitingPurges);
  EXPECT_EQ(done.front(), "0");
  EXPECT_EQ(done.back(), std::to_string(kMaxWaitingPurges - 1));
}

}  // namespace
}  // namespace perigee::replica
