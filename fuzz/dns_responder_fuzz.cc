// libFuzzer target: any bytes are answered well-formed, or not at all.
#include <cstdlib>
#include <vector>

#include "lib/dns_wire/testing/message.h"
#include "services/dns/responder/responder.h"
#include "services/dns/responder/testing/desk.h"
#include "services/dns/responder/testing/fake_steering.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::dns;  // NOLINT: a file of one function
  static testing::FakeSteering steering(testing::AnswerV4("198.18.0.7"));
  static testing::Desk desk(testing::TalkativeAuthority(&steering));
  static const std::unique_ptr<Responder> responder = desk.NewResponder();
  static std::vector<uint8_t> out(AnswerCapacity(Transport::kTcp));
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    const Outcome outcome = responder->Answer({data, size}, {perigee::IpAddress(), transport, {}}, out);
    if (outcome.action != Action::kSend) continue;
    if (outcome.size > AnswerCapacity(transport)) std::abort();
    if (!testing::Decode(std::span(out).first(outcome.size))) std::abort();
  }
  return 0;
}
