// The HTTP side on loopback before clients that take stored bodies slowly: what waits for them in memory is
// bounded, and they are served as long as what they want is stored.
#include "services/replica/counters.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr size_t kSize = 1'000'000;  // more than the kernel takes for a client that reads nothing
constexpr int kClients = 8;
constexpr int kStored = 3;   // as many bodies fit the cache
constexpr int kWaiting = 2;  // and as many may wait

std::string BodyOf(char seed) {
  std::string body(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) body[i] = static_cast<char>(seed + i * 7 + i / 251);
  return body;
}

class SlowReadersTest : public ServerTest {
 protected:
  SlowReadersTest() {
    threads_ = 1;
    cache_options_.budget_bytes = cache_options_.memory_budget_bytes = kStored * kSize + 100'000;
    limits_.max_flight_bytes = 2 * kWaiting * kSize;
  }
  // "/1" is BodyOf('1').
  void StartBodies() {
    Start([](const std::string& head, TestSocket& socket) {
      if (head.find("If-None-Match") != std::string::npos)
        return socket.Send("HTTP/1.1 304 Not Modified\r\n\r\n");
      return socket.Send(Ok(BodyOf(head[5]), "Cache-Control: max-age=60\r\nETag: \"x\"\r\n"));
    });
  }
  // Has read nothing but the beginning of its answer.
  TestSocket SlowClient(const std::string& request) {
    TestSocket client = TestSocket::ConnectTo(port(), 4'096);
    client.Send(request);
    client.Unread(client.ReadBytes(1));
    return client;
  }
  // Each stores a body, which the following ones drive out, and wants it.
  void ExpectMostToBeServed(const std::string& fields) {
    StartBodies();
    std::vector<TestSocket> clients;
    for (char name = '0'; name < '0' + kClients; ++name) {
      const std::string path = fmt::format("/{}", name);
      EXPECT_EQ(Fetch(path).body.size(), kSize);
      clients.push_back(SlowClient(Get(path, fields)));
    }
    for (int i = 0; i < kClients; ++i) {
      const bool kept = i < kWaiting || i >= kClients - kStored;
      EXPECT_EQ(ReadResponse(clients[i]).complete, kept) << i;
    }
    Counters sum;
    server_->AddUp(&sum);
    EXPECT_EQ(sum.refused[Refusal::kSlowReader].value(), uint64_t{kClients - kStored - kWaiting});
  }
};

TEST_F(SlowReadersTest, BeyondTheMemoryOfFlightsTheyLoseWhatIsDrivenOut) { ExpectMostToBeServed(""); }

TEST_F(SlowReadersTest, ThoseOfSeveralRangesToo) {
  ExpectMostToBeServed(fmt::format("Range: bytes=0-0,2-{}\r\n", kSize - 1));
}

TEST_F(SlowReadersTest, AValidatedAnswerIsHeldNoLonger) {
  ExpectMostToBeServed("Cache-Control: no-cache\r\n");
}

TEST_F(SlowReadersTest, AllAreServedWhatStaysStored) {
  StartBodies();
  Fetch("/1");
  const std::string body = BodyOf('1');
  std::vector<TestSocket> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(SlowClient(Get("/1")));
  clients.push_back(SlowClient(Get("/1", "Range: bytes=5-\r\n")));
  clients.push_back(SlowClient(Get("/1", "Range: bytes=0-9,20-999999\r\n")));
  EXPECT_THAT(ReadResponse(clients.back()).body, HasSubstr("\r\n\r\n" + body.substr(20) + "\r\n--"));
  clients.pop_back();
  EXPECT_TRUE(ReadResponse(clients.back()).body == body.substr(5));
  clients.pop_back();
  for (TestSocket& client : clients) EXPECT_TRUE(ReadResponse(client).body == body);
  EXPECT_EQ(origin_->requests(), 1);
}

}  // namespace
}  // namespace perigee::replica
