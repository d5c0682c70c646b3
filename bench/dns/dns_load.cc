// Load for a DNS server, and its latencies: a steady rate, or as fast as so many outstanding queries allow.
// Prints one JSON object. See --help.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/dns/load_socket.h"
#include "bench/dns/query_maker.h"
#include "fmt/format.h"

namespace perigee::bench {
namespace {

constexpr auto kLostAfter = std::chrono::seconds(1);
constexpr auto kLongestWait = std::chrono::milliseconds(1);
constexpr size_t kIds = 1 << 16;

struct LoadOptions {
  QueryOptions query;
  double rate = 0;  // queries a second; 0: `outstanding` at a time
  size_t outstanding = 100;
  double seconds = 0;
  uint64_t queries = 0;
};

// Whether the answer ends in a client subnet option whose scope is not 0: it holds for that network alone.
bool IsScoped(std::span<const uint8_t> answer) {
  constexpr std::array<uint8_t, 7> kOption = {0, 8, 0, 7, 0, 1, 24};
  constexpr size_t kSize = 11;
  if (answer.size() < kSize) return false;
  const auto option = answer.last(kSize);
  return std::equal(kOption.begin(), kOption.end(), option.begin()) && option[kOption.size()] != 0;
}

class Load {
 public:
  Load(LoadSocket& socket, const LoadOptions& options)
      : socket_(socket), options_(options), maker_(options.query), start_(Now()) {}

  void Run() {
    while (!Ended()) {
      Expire();
      const size_t due = Due();
      if (due > 0) Send(due);
      if (Receive() == 0 && due == 0) socket_.Wait(UntilNext());
    }
    for (const Stamp end = Now() + kLostAfter; answered_ + lost_ < sent_ && Now() < end;) {
      if (Receive() == 0) socket_.Wait(kLongestWait);
    }
    took_ = Now() - start_;
  }

  std::string Report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      if (latencies_.empty()) return 0.0;
      return latencies_[static_cast<size_t>(share * static_cast<double>(latencies_.size() - 1))] / 1000.0;
    };
    return fmt::format(
        R"({{"sent":{},"answered":{},"noerror":{},"scoped":{},"lost":{},"seconds":{:.3f},"p50_us":{:.1f},"p99_us":{:.1f},"max_us":{:.1f}}})",
        sent_, answered_, noerror_, scoped_, sent_ - answered_, std::chrono::duration<double>(took_).count(),
        at(0.5), at(0.99), at(1));
  }

 private:
  bool Ended() const {
    if (options_.queries != 0) return sent_ >= options_.queries;
    return Now() - start_ >= std::chrono::duration<double>(options_.seconds);
  }

  size_t Due() const {
    uint64_t due;
    if (options_.rate > 0) {
      const auto planned =
          static_cast<uint64_t>(std::chrono::duration<double>(Now() - start_).count() * options_.rate);
      due = planned > sent_ ? planned - sent_ : 0;
    } else {
      due = options_.outstanding - std::min<uint64_t>(options_.outstanding, sent_ - answered_ - lost_);
    }
    if (options_.queries != 0) due = std::min(due, options_.queries - sent_);
    return std::min<uint64_t>(due, LoadSocket::kBatch);
  }

  std::chrono::nanoseconds UntilNext() const {
    if (options_.rate <= 0) return kLongestWait;
    const auto next =
        start_ +
        std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(sent_ + 1) / options_.rate * 1e9));
    return std::clamp<std::chrono::nanoseconds>(next - Now(), std::chrono::nanoseconds(0), kLongestWait);
  }

  void Send(size_t count) {
    const Stamp now = Now();
    const size_t left = socket_.Send(count, maker_.size(), [&](size_t i, uint8_t* out) {
      pending_[(sent_ + i) % kIds] = now;
      maker_.Write(sent_ + i, out);
    });
    for (size_t i = left; i < count; ++i) pending_[(sent_ + i) % kIds] = Stamp::zero();
    sent_ += left;
  }

  size_t Receive() {
    return socket_.Receive([this](std::span<const uint8_t> answer, Stamp arrived) {
      if (answer.size() < 12) return;
      Stamp& asked = pending_[answer[0] << 8 | answer[1]];
      if (asked == Stamp::zero()) return;
      latencies_.push_back(static_cast<uint32_t>((arrived - asked).count()));
      asked = Stamp::zero();
      ++answered_;
      noerror_ += (answer[3] & 0x0f) == 0 && answer[7] > 0;
      scoped_ += IsScoped(answer);
    });
  }

  // What was asked first and is still unanswered may have been lost.
  void Expire() {
    for (; oldest_ < sent_; ++oldest_) {
      Stamp& asked = pending_[oldest_ % kIds];
      const bool reused = sent_ - oldest_ >= kIds - LoadSocket::kBatch;
      if (asked != Stamp::zero() && !reused && Now() - asked < kLostAfter) return;
      lost_ += asked != Stamp::zero();
      asked = Stamp::zero();
    }
  }

  LoadSocket& socket_;
  const LoadOptions options_;
  const QueryMaker maker_;
  const Stamp start_;
  Stamp took_{};
  uint64_t sent_ = 0, answered_ = 0, noerror_ = 0, scoped_ = 0, lost_ = 0, oldest_ = 0;
  std::array<Stamp, kIds> pending_{};
  std::vector<uint32_t> latencies_;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "dns_load: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Run(int argc, char** argv) {
  LoadOptions options;
  std::string server, source = "127.0.0.1";
  CLI::App app("Asks a DNS server for the A of one name, and measures.", "dns_load");
  app.add_option("--server", server, "address:port")->required();
  app.add_option("--source", source, "The address to ask from")->capture_default_str();
  app.add_option("--name", options.query.name)->required();
  app.add_option("--ecs", options.query.first_octet, "Tell client networks by ECS, from this first octet on");
  app.add_option("--clients", options.query.clients, "How many networks")->check(CLI::Range(1, 1 << 20));
  app.add_option("--first-client", options.query.first_client, "The one to begin with");
  app.add_flag("--cookie", options.query.cookie, "With a client cookie");
  app.add_option("--rate", options.rate, "Queries a second");
  app.add_option("--outstanding", options.outstanding, "Without --rate: queries under way")
      ->check(CLI::Range(1, 32768))
      ->capture_default_str();
  auto* seconds = app.add_option("--seconds", options.seconds, "How long")->check(CLI::PositiveNumber);
  app.add_option("--queries", options.queries, "How many in all")->excludes(seconds);
  CLI11_PARSE(app, argc, argv);
  if (options.seconds <= 0 && options.queries == 0) {
    return Fail(absl::InvalidArgumentError("say --seconds or --queries"));
  }
  const auto to = IpEndpoint::Parse(server);
  if (!to.ok()) return Fail(to.status());
  const auto from = IpAddress::Parse(source);
  if (!from.ok()) return Fail(from.status());
  auto socket = LoadSocket::Connect(*to, *from);
  if (!socket.ok()) return Fail(socket.status());
  const auto load = std::make_unique<Load>(*socket, options);
  load->Run();
  std::puts(load->Report().c_str());
  return 0;
}

}  // namespace
}  // namespace perigee::bench

int main(int argc, char** argv) { return perigee::bench::Run(argc, argv); }
