// The asynchronous calls of one owner: cancels and waits for them before the owner goes away.
#pragma once

#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>

#include "absl/container/flat_hash_set.h"

namespace perigee {

// Thread-safe, except that the destructor must not run on a gRPC thread (it waits for those).
class CallGroup {
 public:
  // One call under way. Made before the call starts and destroyed as the last thing of its callback, so that
  // everything the call refers to is gone, or no longer needed, once the group's destructor has returned.
  class Membership {
   public:
    explicit Membership(CallGroup& group);
    ~Membership();
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    // Destroyed last: when it says that the call has left, the context and the channel that it refers to are
    // let go of already. gRPC can't bear that a channel's last reference is dropped on one of its own
    // threads.
    class Presence {
     public:
      explicit Presence(CallGroup& group);
      ~Presence();
      Presence(const Presence&) = delete;
      Presence& operator=(const Presence&) = delete;
      CallGroup& group;
    };
    Presence presence_;

   public:
    grpc::ClientContext context;
  };

  CallGroup() = default;
  ~CallGroup() { Stop(); }

  // Cancels what is under way, and what begins from now on, and returns when every membership has ended. Not
  // on a gRPC thread.
  void Stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::flat_hash_set<Membership*> cancellable_;
  size_t present_ = 0;
  bool stopped_ = false;
};

}  // namespace perigee
