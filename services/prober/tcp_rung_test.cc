#include "services/prober/tcp_rung.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <thread>

namespace perigee {
namespace {

using std::chrono::milliseconds;

// A loop that was held up has both in its queue: what destroys the rung, and the end of the rung's patience.
TEST(TcpRungTest, ItsEndIsNotToldOnceItIsDestroyed) {
  boost::asio::io_context io;
  bool ended = false;
  auto rung =
      std::make_unique<TcpRung>(io, IpAddress::Parse("127.0.0.1").value(), std::span<const uint16_t>(),
                                TcpRung::Events{[](Rtt) {}, [&ended] { ended = true; }});
  boost::asio::steady_timer destroyer(io, kTcpPatience - milliseconds(10));
  destroyer.async_wait([&rung](const boost::system::error_code&) { rung.reset(); });
  std::this_thread::sleep_for(kTcpPatience + milliseconds(10));
  io.run();
  EXPECT_EQ(rung, nullptr);
  EXPECT_FALSE(ended);
}

}  // namespace
}  // namespace perigee
