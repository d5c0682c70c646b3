#include "services/dns/listener/tcp_connection.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include "gtest/gtest.h"
#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/testing/desk.h"
#include "services/dns/responder/testing/fake_steering.h"

namespace perigee::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::Bytes;

constexpr int kSocketBuffer = 4'096;
// What the kernel may hold between the two ends, whose buffers are that small.
constexpr size_t kKernelShare = 65'536;

// Knows everybody, and counts who asks.
class CountingSteering final : public Steering {
 public:
  bool Find(const ClientKey&, MonoTime, SteeredAnswer* answer) override {
    ++queries;
    *answer = testing::AnswerV4("198.18.0.7");
    return true;
  }
  void Park(const ClientKey&, Done done) override { done(nullptr); }
  void FindUnmeasured(const ClientKey&, MonoTime, SteeredAnswer*) override {}
  void NoteBeacon(const BeaconToken&, const IpPrefix&) override {}

  size_t queries = 0;
};

// Both ends on one io_context of the test's own thread, so that the test sees when nothing moves any more.
class TcpConnectionTest : public ::testing::Test {
 protected:
  TcpConnectionTest() {
    tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    acceptor.set_option(asio::socket_base::receive_buffer_size(kSocketBuffer));
    acceptor.set_option(asio::socket_base::send_buffer_size(kSocketBuffer));
    client_.open(tcp::v4());
    client_.set_option(asio::socket_base::receive_buffer_size(kSocketBuffer));
    client_.set_option(asio::socket_base::send_buffer_size(kSocketBuffer));
    client_.connect(acceptor.local_endpoint());
    client_.non_blocking(true);
    connection_.emplace(acceptor.accept(), *IpAddress::Parse("127.0.0.1"),
                        TcpLimits{.idle_timeout = std::chrono::seconds(60), .max_parked = 64},
                        responder_.get(), scratch_);
    connection_->set_hooks({.park = [](std::span<const uint8_t>, const Asker&) {}, .touch = [] {}});
    asio::co_spawn(io_, connection_->Serve(), asio::detached);
  }
  ~TcpConnectionTest() override {
    connection_->Close(TcpClose::kStopped);
    io_.poll();
  }

  // Sends queries, and reads nothing, until the server takes no more or has taken `enough`.
  void SendUntilStalled(size_t enough) {
    const Bytes query = testing::MakeQuery({.name = "cdn.example.org"});
    Bytes framed = {0, static_cast<uint8_t>(query.size())};
    framed.insert(framed.end(), query.begin(), query.end());
    size_t at = 0;
    while (steering_.queries < enough) {
      boost::system::error_code error;
      at += client_.write_some(asio::buffer(framed) + at, error);
      if (at == framed.size()) at = 0;
      if (io_.poll() == 0 && error == asio::error::would_block) return;
    }
  }

  // Reads what there is until nothing more comes; the number of octets.
  size_t ReadAll() {
    size_t all = 0;
    for (;;) {
      boost::system::error_code error;
      const size_t size = client_.read_some(asio::buffer(received_), error);
      all += size;
      if (io_.poll() == 0 && size == 0) return all;
    }
  }

  asio::io_context io_;
  CountingSteering steering_;
  testing::Desk desk_{&steering_};
  std::unique_ptr<Responder> responder_ = desk_.NewResponder();
  std::vector<uint8_t> scratch_ = std::vector<uint8_t>(AnswerCapacity(Transport::kTcp));
  tcp::socket client_{io_};
  std::optional<TcpConnection> connection_;
  std::array<uint8_t, 65'536> received_;
};

TEST_F(TcpConnectionTest, OfAClientThatReadsNothingNoMoreIsTakenThanMayWaitUnsent) {
  SendUntilStalled(50'000);
  const size_t taken = steering_.queries;
  ASSERT_LT(taken, 50'000u) << "the server reads on, whatever waits unsent";
  const size_t unread = ReadAll();
  const size_t answered = steering_.queries;  // reading has made room, and what the kernel held was taken too
  ASSERT_GE(answered, taken);
  ASSERT_EQ(unread % answered, 0u) << "every answer has come, whole";
  const size_t waited = taken * (unread / answered);
  EXPECT_GT(waited, TcpConnection::kMaxUnsentSize);
  EXPECT_LE(waited, TcpConnection::kMaxUnsentSize + kKernelShare);
}

}  // namespace
}  // namespace perigee::dns
