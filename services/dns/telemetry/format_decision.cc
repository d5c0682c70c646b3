#include <algorithm>

#include "fmt/format.h"
#include "lib/log/json_line.h"
#include "services/dns/telemetry/decision_log.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
std::string FormatDecision(const DecisionRecord& record) {
  std::string line = "{\"time\":\"";
  AppendIsoTime(record.time, &line);
  line += '"';
  AppendJsonField("client", record.client.ToString(), &line);
  AppendJsonField("prefix", record.prefix.ToString(), &line);
  AppendJsonField("name", record.name.view().ToText(), &line);
  AppendJsonField("type", Word(record.type), &line);
  AppendJsonField("protocol", Word(record.transport), &line);
  const auto end = std::find(record.replica.begin(), record.replica.end(), '\0');
  AppendJsonField("replica", std::string_view(record.replica.begin(), end), &line);
  AppendJsonField("reason", Word(record.reason), &line);
  AppendJsonField("method", Word(record.method), &line);
  const bool timed = Sample{record.rtt, record.method}.timed();
  line += timed ? fmt::format(",\"rtt_us\":{}", record.rtt.count()) : ",\"rtt_us\":null";
  line += fmt::format(",\"ttl\":{},\"scope\":{}}}\n", record.ttl.count(), record.scope_length);
  return line;
}

}  // namespace perigee::dns
