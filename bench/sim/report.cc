#include "bench/sim/report.h"

#include "fmt/format.h"

namespace perigee::sim {
namespace {

double Milliseconds(Rtt rtt) { return static_cast<double>(rtt.count()) / 1000; }

std::string Json(const std::optional<Answer>& answer) {
  if (!answer) return "null";
  return fmt::format(R"([{},"{}",{}])", answer->replica, dns::Word(answer->reason),
                     Milliseconds(answer->took));
}

void Print(const ClientReport& client) {
  std::vector<std::string> truth, samples, kilometres;
  for (size_t i = 0; i < client.truth.size(); ++i) {
    const bool measured = i < client.samples.size() && client.samples[i].measured();
    samples.push_back(measured ? fmt::to_string(Milliseconds(client.samples[i].rtt)) : "0");
    truth.push_back(client.truth[i] == Rtt{} ? "null" : fmt::to_string(Milliseconds(client.truth[i])));
    const bool known = i < client.kilometres.size() && client.kilometres[i];
    kilometres.push_back(known ? fmt::format("{:.0f}", *client.kilometres[i]) : "null");
  }
  fmt::print(R"({{"place":"{}","answers":"{}","truth":[{}],"km":[{}],"samples":[{}],)", client.name,
             client.answers, fmt::join(truth, ","), fmt::join(kilometres, ","), fmt::join(samples, ","));
  fmt::print(R"("first_ms":{},"last_ms":{},"first":{},"again":{}}})"
             "\n",
             Milliseconds(client.first_answer), Milliseconds(client.last_answer), Json(client.first),
             Json(client.again));
}

}  // namespace

void Print(const Report& report) {
  fmt::print("{{\"packets\":{},\"map_rows\":{}}}\n", report.packets, report.map_rows);
  for (const ClientReport& client : report.clients) Print(client);
}

}  // namespace perigee::sim
