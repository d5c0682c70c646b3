#include "services/prober/scamper_session.h"

#include <utility>

#include "fmt/format.h"

namespace perigee {

ScamperSession::ScamperSession() { Send(kAttachCommand, {Kind::kAttach}); }

void ScamperSession::Send(std::string_view line, Command command) {
  output_.append(line);
  commands_.push_back(command);
}

absl::StatusOr<uint32_t> ScamperSession::Ping(PingCommand command, PingDone done) {
  if (pings_.size() >= kMaxPending) {
    return absl::ResourceExhaustedError(fmt::format("{} pings are under way already", kMaxPending));
  }
  do ++last_user_id_;
  while (pings_.contains(last_user_id_));
  command.user_id = last_user_id_;
  pings_.emplace(command.user_id, Pending{std::move(done)});
  Send(FormatPing(command), {Kind::kPing, command.user_id});
  return command.user_id;
}

void ScamperSession::Halt(uint32_t user_id) {
  const auto found = pings_.find(user_id);
  if (found == pings_.end() || std::exchange(found->second.halt, true)) return;
  if (found->second.task_id) SendHalt(*found->second.task_id);
}

void ScamperSession::Abandon(uint32_t user_id) {
  Halt(user_id);
  const auto found = pings_.find(user_id);
  if (found != pings_.end()) found->second.done = [](const absl::StatusOr<PingResult>&) {};
}

void ScamperSession::Ask() {
  if (commands_.empty()) Send(kAskCommand, {Kind::kHalt});
}

void ScamperSession::Finish(uint32_t user_id, absl::StatusOr<PingResult> result) {
  const auto found = pings_.find(user_id);
  if (found == pings_.end()) return;
  const PingDone done = std::move(found->second.done);
  pings_.erase(found);
  done(std::move(result));
}

absl::StatusOr<ScamperSession::Command> ScamperSession::NextAcknowledged() {
  if (commands_.empty()) return absl::InternalError("scamper acknowledged a command that was not sent");
  const Command command = commands_.front();
  commands_.pop_front();
  ++acknowledged_;
  return command;
}

absl::Status ScamperSession::On(const CommandAccepted& accepted) {
  const auto command = NextAcknowledged();
  if (!command.ok()) return command.status();
  if (command->kind == Kind::kAttach) attached_ = true;
  if (command->kind != Kind::kPing) return absl::OkStatus();
  if (!accepted.task_id) return absl::InternalError("scamper accepted a ping without telling its task id");
  const auto found = pings_.find(command->user_id);
  if (found == pings_.end()) return absl::OkStatus();
  found->second.task_id = accepted.task_id;
  if (found->second.halt) SendHalt(*accepted.task_id);
  return absl::OkStatus();
}

absl::Status ScamperSession::On(const CommandRejected& rejected) {
  const auto command = NextAcknowledged();
  if (!command.ok()) return command.status();
  if (command->kind == Kind::kAttach) {
    return absl::InternalError(fmt::format("scamper won't write JSON: {}", rejected.reason));
  }
  if (command->kind == Kind::kPing) {
    Finish(command->user_id, absl::FailedPreconditionError(fmt::format("scamper: {}", rejected.reason)));
  }
  return absl::OkStatus();
}

absl::Status ScamperSession::On(const PingResult& result) {
  Finish(result.user_id, result);
  return absl::OkStatus();
}

absl::Status ScamperSession::Receive(std::string_view bytes) {
  const auto events = parser_.Feed(bytes);
  if (!events.ok()) return events.status();
  for (const ScamperEvent& event : *events) {
    absl::Status status = std::visit([this](const auto& e) { return On(e); }, event);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void ScamperSession::Fail(const absl::Status& status) {
  auto pings = std::exchange(pings_, {});
  for (auto& [user_id, ping] : pings) ping.done(status);
}

}  // namespace perigee
