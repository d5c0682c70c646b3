#include "services/replica/cache/body.h"

namespace perigee::replica {

Body::Body(std::shared_ptr<const std::string> bytes) : view_(*bytes) { owner_ = std::move(bytes); }

Body::Draft Body::Make(size_t size, size_t slack) {
  const auto memory = std::make_shared_for_overwrite<char[]>(size + slack);
  return {memory.get(), Body(memory, {memory.get(), size})};
}

}  // namespace perigee::replica
