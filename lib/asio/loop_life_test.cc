#include "lib/asio/loop_life.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "gtest/gtest.h"

namespace perigee {
namespace {

TEST(LoopLife, AHandlerThatIsQueuedAlreadyDoesNotRunOnceItsObjectIsGone) {
  boost::asio::io_context io;
  int ran = 0;
  {
    const LoopLife life;
    boost::asio::post(io, life.Guard([&ran] { ++ran; }));
    io.poll();
    EXPECT_EQ(ran, 1);
    io.restart();
    boost::asio::post(io, life.Guard([&ran] { ++ran; }));
  }
  EXPECT_EQ(io.poll(), 1u);
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace perigee
