#include "services/replica/io/deadline.h"

#include <gtest/gtest.h>

namespace perigee::replica {
namespace {

TEST(Deadline, FiresOnceWhenDueAndNotBefore) {
  asio::io_context io;
  DeadlineSweeper sweeper(io.get_executor());
  int fired = 0;
  Deadline deadline(sweeper, [&fired] { ++fired; });
  const MonoTime start{std::chrono::hours(1)};
  deadline.SetAt(start + milliseconds(100));
  sweeper.Sweep(start + milliseconds(99));
  EXPECT_EQ(fired, 0);
  sweeper.Sweep(start + milliseconds(100));
  sweeper.Sweep(start + milliseconds(200));
  EXPECT_EQ(fired, 1);
}

TEST(Deadline, ClearedOrDestroyedDoesNotFire) {
  asio::io_context io;
  DeadlineSweeper sweeper(io.get_executor());
  int fired = 0;
  Deadline cleared(sweeper, [&fired] { ++fired; });
  cleared.SetAt(MonoTime{});
  cleared.Clear();
  {
    Deadline gone(sweeper, [&fired] { ++fired; });
  }
  sweeper.Sweep(MonoTime{std::chrono::hours(1)});
  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace perigee::replica
