#pragma once

#include <rocksdb/write_batch.h>

#include "agent/store/store.h"

namespace ica::store {

// Operations in the order of the calls, in one buffer: a byte for what to do, a byte for the
// family, two lengths, two strings. Families get their RocksDB handles only at the commit, because
// a Batch is made without a Store.
struct Batch::Impl {
  enum class Op : uint8_t { Put, Delete, DeleteRange };

  void add(Op op, Family family, BytesView a, BytesView b);
  // Moves everything into `out`; `handles` is indexed by Family.
  rocksdb::Status replay(const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& handles,
                         rocksdb::WriteBatch& out) const;

  Bytes ops;
};

}  // namespace ica::store
