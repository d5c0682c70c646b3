#include "services/replica/control/warm_calls.h"

#include <deque>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "lib/rpc/control.h"

namespace perigee::replica {
namespace {

class Refusal final : public grpc::ServerWriteReactor<v1::WarmResult> {
 public:
  explicit Refusal(const grpc::Status& why) { Finish(why); }
  void OnDone() override { delete this; }
};

const grpc::Status kStopping(grpc::StatusCode::UNAVAILABLE, "the server is stopping");

}  // namespace

// Writes one result after the other, and finishes when the run is over and no write is under way.
class WarmCalls::Call final : public grpc::ServerWriteReactor<v1::WarmResult> {
 public:
  explicit Call(WarmCalls& owner) : owner_(owner) {}

  // Before any other call.
  std::shared_ptr<WarmRun> Start(WarmJob job) {
    const std::lock_guard lock(mutex_);  // the run's thread waits until `run_` is there
    run_ = std::make_shared<WarmRun>(
        std::move(job), owner_.server_.OwnEndpoint(), owner_.server_.own_name(), owner_.clock_,
        [this](v1::WarmResult result) { OnResult(std::move(result)); }, [this] { OnRunDone(); });
    return run_;
  }

  // On the run's thread.
  void OnResult(v1::WarmResult result) {
    std::unique_lock lock(mutex_);
    results_.push_back(std::move(result));
    if (!std::exchange(writing_, true)) WriteUnlocked(std::move(lock));
  }
  void OnRunDone() {
    std::unique_lock lock(mutex_);
    run_done_ = true;
    if (!writing_) FinishUnlocked(std::move(lock));
  }

  void End(const grpc::Status& why) {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = why;
    if (run_) run_->Cancel();
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    results_.pop_front();
    if (!ok) {
      results_.clear();
      if (!end_) end_ = grpc::Status::CANCELLED;
      run_->Cancel();
    }
    if (!results_.empty()) return WriteUnlocked(std::move(lock));
    writing_ = false;
    if (run_done_) FinishUnlocked(std::move(lock));
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    WarmCalls& owner = owner_;
    const std::lock_guard lock(owner.mutex_);
    owner.calls_.erase(this);
    delete this;
    owner.changed_.notify_all();
  }

 private:
  // What gRPC calls back, it may call before these return.
  void WriteUnlocked(std::unique_lock<std::mutex> lock) {
    const v1::WarmResult& next = results_.front();  // stays where it is until its write is done
    lock.unlock();
    StartWrite(&next);
  }
  void FinishUnlocked(std::unique_lock<std::mutex> lock) {
    const grpc::Status status = end_.value_or(grpc::Status::OK);
    lock.unlock();
    Finish(status);
  }

  WarmCalls& owner_;
  std::shared_ptr<WarmRun> run_;

  std::mutex mutex_;
  std::deque<v1::WarmResult> results_;  // at most kMaxUrlsPerCall; the first is being written
  bool writing_ = false;
  bool run_done_ = false;
  std::optional<grpc::Status> end_;
};

grpc::ServerWriteReactor<v1::WarmResult>* WarmCalls::Add(const v1::WarmRequest& request) {
  auto job = WarmJobFrom(request);
  if (!job.ok()) return new Refusal(ToGrpcStatus(job.status()));
  const std::lock_guard lock(mutex_);
  Reap();
  if (ended_) return new Refusal(kStopping);
  if (calls_.size() >= kMaxWarmCalls) {
    return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED,
                        fmt::format("{} calls of Warm are under way: wait for one to end", kMaxWarmCalls)});
  }
  Call* call = new Call(*this);
  calls_.insert(call);
  runs_.push_back(call->Start(*std::move(job)));
  return call;
}

void WarmCalls::Reap() {
  std::erase_if(runs_, [](const auto& run) {
    if (!run->over()) return false;
    run->Join();
    return true;
  });
}

void WarmCalls::End() {
  std::unique_lock lock(mutex_);
  ended_ = true;
  for (Call* call : calls_) call->End(kStopping);
  changed_.wait(lock, [this] { return calls_.empty(); });
  for (const auto& run : std::exchange(runs_, {})) run->Join();
}

}  // namespace perigee::replica
