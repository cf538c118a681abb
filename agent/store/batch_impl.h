#pragma once

#include "agent/store/store.h"

namespace ica::store {

// Operations in the order of the calls, in one buffer: a byte for what to do, a byte for the
// family, two lengths, two strings.
struct Batch::Impl {
  enum class Op : uint8_t { Put, Delete, DeleteRange };

  void add(Op op, Family family, BytesView a, BytesView b);

  Bytes ops;
};

}  // namespace ica::store
