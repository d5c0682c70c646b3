#include "services/replica/fetch/flight.h"

#include <algorithm>
#include <utility>

namespace perigee::replica {

Flight::~Flight() { memory_.Release(buffered_); }

void Flight::WakeAll(const std::vector<std::shared_ptr<Wakeup>>& waiters) {
  for (const auto& waiter : waiters) waiter->Wake();
}

std::vector<std::shared_ptr<Wakeup>> Flight::SetState(FlightState state) {
  state_ = state;
  return std::exchange(waiters_, {});
}

Task<FlightState> Flight::AwaitHead(Executor executor) {
  for (;;) {
    std::shared_ptr<Wakeup> wakeup;
    {
      const std::lock_guard lock(mutex_);
      if (state_ != FlightState::kWaiting) co_return state_;
      wakeup = Wakeup::Create(executor);
      waiters_.push_back(wakeup);
    }
    co_await wakeup->Sleep(MonoTime::max());
  }
}

FetchError Flight::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

const FlightHead* Flight::known_head() const {
  const std::lock_guard lock(mutex_);
  return state_ == FlightState::kStreaming || state_ == FlightState::kDone ? &head_ : nullptr;
}

bool Flight::windowed() const {
  const std::lock_guard lock(mutex_);
  return windowed_;
}

std::optional<std::string> Flight::Tags() const {
  const std::lock_guard lock(mutex_);
  if (state_ == FlightState::kWaiting) return std::nullopt;
  return head_.refreshed ? head_.refreshed->head.tags : head_.head.tags;
}

void Flight::Invalidate() {
  const std::lock_guard lock(mutex_);
  invalidated_ = true;
}

void Flight::Publish(FlightHead head) {
  std::vector<std::shared_ptr<Wakeup>> waiters;
  {
    const std::lock_guard lock(mutex_);
    head_ = std::move(head);
    waiters = SetState(head_.refreshed ? FlightState::kDone : FlightState::kStreaming);
  }
  WakeAll(waiters);
}

void Flight::GoAlone() {
  std::vector<std::shared_ptr<Wakeup>> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters = SetState(FlightState::kAlone);
  }
  WakeAll(waiters);
}

void Flight::Fail(FetchError error) {
  std::vector<std::shared_ptr<Wakeup>> waiters;
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
    waiters = SetState(FlightState::kFailed);
  }
  WakeAll(waiters);
}

void Flight::Abandon() {
  std::vector<std::shared_ptr<Wakeup>> waiters;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != FlightState::kWaiting && state_ != FlightState::kStreaming) return;
    error_ = FetchError::kClosed;
    waiters = SetState(FlightState::kFailed);
  }
  WakeAll(waiters);
}

void Flight::Finish() {
  std::vector<std::shared_ptr<Wakeup>> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters = SetState(FlightState::kDone);
  }
  WakeAll(waiters);
}

bool Flight::TakeMemory(uint64_t window, uint64_t bytes) {
  if (buffered_ + bytes > window || !memory_.TryReserve(bytes)) return false;
  buffered_ += bytes;
  return true;
}

void Flight::DropFirst() {
  const uint64_t bytes = chunks_.front()->size();
  memory_.Release(bytes);
  buffered_ -= bytes;
  begin_ += bytes;
  chunks_.pop_front();
  ++first_chunk_;
}

Flight::Room Flight::MakeRoom(uint64_t bytes) {
  const bool spills = spilled_ && !windowed_ && begin_ + buffered_ + bytes <= window_;
  if (spills) return MakeSpillRoom(bytes);
  if (!spilled_ && TakeMemory(window_, bytes)) return Room::kFree;
  return MakeWindowRoom(bytes);
}

Flight::Room Flight::MakeSpillRoom(uint64_t bytes) {
  while (!TakeMemory(kSpillWindowBytes, bytes)) {
    const bool dispensable = !chunks_.empty() && begin_ + chunks_.front()->size() <= written_;
    if (!dispensable) return buffered_ + bytes > kSpillWindowBytes ? Room::kFull : MakeWindowRoom(bytes);
    DropFirst();
  }
  return Room::kFree;
}

Flight::Room Flight::MakeWindowRoom(uint64_t bytes) {
  windowed_ = true;
  while (!TakeMemory(window_, bytes)) {
    if (readers_.empty()) return Room::kUnwanted;
    // One chunk may always be buffered, or a flight without memory would never end.
    if (chunks_.empty()) {
      memory_.ForceReserve(bytes);
      buffered_ += bytes;
      break;
    }
    size_t fastest = 0;
    for (const Reader* reader : readers_) fastest = std::max(fastest, reader->next_);
    if (fastest <= first_chunk_) return Room::kFull;
    DropFirst();
  }
  return Room::kFree;
}

std::vector<Chunk> Flight::Spill(std::shared_ptr<const DiskBody> body) {
  const std::lock_guard lock(mutex_);
  spilled_ = std::move(body);
  return {chunks_.begin(), chunks_.end()};
}

void Flight::Written(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  written_ = bytes;
  if (const auto producer = std::exchange(producer_, nullptr)) producer->Wake();
}

void Flight::StopSpilling() {
  const std::lock_guard lock(mutex_);
  windowed_ = true;
  if (const auto producer = std::exchange(producer_, nullptr)) producer->Wake();
}

Task<bool> Flight::AwaitWritten(Executor executor) {
  for (;;) {
    std::shared_ptr<Wakeup> wakeup;
    {
      const std::lock_guard lock(mutex_);
      if (windowed_) co_return false;
      if (written_ == begin_ + buffered_) co_return true;
      wakeup = producer_ = Wakeup::Create(executor);
    }
    co_await wakeup->Sleep(MonoTime::max());
  }
}

uint64_t Flight::size() const {
  const std::lock_guard lock(mutex_);
  return begin_ + buffered_;
}

bool Flight::storable() const {
  const std::lock_guard lock(mutex_);
  return !windowed_ && !invalidated_;
}

Task<bool> Flight::Append(Executor executor, Chunk chunk) {
  for (;;) {
    std::shared_ptr<Wakeup> wakeup;
    std::vector<std::shared_ptr<Wakeup>> waiters;
    {
      const std::lock_guard lock(mutex_);
      const Room room = MakeRoom(chunk->size());
      if (room == Room::kUnwanted) co_return false;
      if (room == Room::kFree) {
        chunks_.push_back(chunk);
        waiters = std::exchange(waiters_, {});
      } else {
        wakeup = producer_ = Wakeup::Create(executor);
      }
    }
    WakeAll(waiters);
    if (!wakeup) co_return true;
    co_await wakeup->Sleep(MonoTime::max());
  }
}

Chunk Flight::WholeBody() const {
  const std::lock_guard lock(mutex_);
  if (windowed_ || invalidated_) return nullptr;
  if (chunks_.size() == 1) return chunks_.front();
  std::string whole;
  whole.reserve(buffered_);
  for (const Chunk& chunk : chunks_) whole += *chunk;
  return std::make_shared<const std::string>(std::move(whole));
}

Flight::Reader::Reader(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) {
  const std::lock_guard lock(flight_->mutex_);
  flight_->readers_.insert(this);
}

Flight::Reader::~Reader() {
  const std::lock_guard lock(flight_->mutex_);
  flight_->readers_.erase(this);
  if (const auto producer = std::exchange(flight_->producer_, nullptr)) producer->Wake();
}

Flight::Reader::Piece Flight::Reader::CatchUp() {
  if (flight_->windowed_) return {.error = FetchError::kFellBehind};
  next_ = flight_->first_chunk_;
  const uint64_t begin = std::exchange(position_, flight_->begin_);
  return {.on_disk = flight_->spilled_, .begin = begin, .end = position_};
}

Chunk Flight::Reader::TakeChunk() {
  const size_t at = next_ - flight_->first_chunk_;
  if (at >= flight_->chunks_.size()) return nullptr;
  ++next_;
  position_ += flight_->chunks_[at]->size();
  if (const auto producer = std::exchange(flight_->producer_, nullptr)) producer->Wake();
  return flight_->chunks_[at];
}

Chunk Flight::Reader::TakeReady() {
  const std::lock_guard lock(flight_->mutex_);
  return next_ < flight_->first_chunk_ ? nullptr : TakeChunk();
}

Task<Flight::Reader::Piece> Flight::Reader::Next(Executor executor) {
  Flight& flight = *flight_;
  for (;;) {
    std::shared_ptr<Wakeup> wakeup;
    {
      const std::lock_guard lock(flight.mutex_);
      if (next_ < flight.first_chunk_) co_return CatchUp();
      if (const Chunk chunk = TakeChunk()) co_return Piece{.chunk = chunk};
      if (flight.state_ == FlightState::kDone) co_return Piece{};
      if (flight.state_ == FlightState::kFailed) co_return Piece{.error = flight.error_};
      wakeup = Wakeup::Create(executor);
      flight.waiters_.push_back(wakeup);
    }
    co_await wakeup->Sleep(MonoTime::max());
  }
}

}  // namespace perigee::replica
