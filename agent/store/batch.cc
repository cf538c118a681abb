#include <cstring>

#include "agent/store/batch_impl.h"

namespace ica::store {

namespace {

void append_length(Bytes& out, size_t n) {
  const auto length = static_cast<uint32_t>(n);
  ICA_ASSERT(length == n);
  out.append(reinterpret_cast<const char*>(&length), sizeof(length));
}

BytesView take(BytesView& in) {
  uint32_t length = 0;
  std::memcpy(&length, in.data(), sizeof(length));
  in.remove_prefix(sizeof(length));
  const BytesView out = in.substr(0, length);
  in.remove_prefix(length);
  return out;
}

}  // namespace

void Batch::Impl::add(Op op, Family family, BytesView a, BytesView b) {
  ops.push_back(static_cast<char>(op));
  ops.push_back(static_cast<char>(family));
  append_length(ops, a.size());
  ops.append(a);
  append_length(ops, b.size());
  ops.append(b);
}

rocksdb::Status Batch::Impl::replay(
    const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& handles,
    rocksdb::WriteBatch& out) const {
  BytesView in = ops;
  rocksdb::Status status;
  while (!in.empty() && status.ok()) {
    const auto op = static_cast<Op>(in[0]);
    auto* handle = handles[static_cast<uint8_t>(in[1])];
    in.remove_prefix(2);
    const BytesView a = take(in);
    const BytesView b = take(in);
    switch (op) {
      case Op::Put:
        status =
            out.Put(handle, rocksdb::Slice(a.data(), a.size()), rocksdb::Slice(b.data(), b.size()));
        break;
      case Op::Delete:
        status = out.Delete(handle, rocksdb::Slice(a.data(), a.size()));
        break;
      case Op::DeleteRange:
        status = out.DeleteRange(handle, rocksdb::Slice(a.data(), a.size()),
                                 rocksdb::Slice(b.data(), b.size()));
        break;
    }
  }
  return status;
}

Batch::Batch() : impl_(std::make_unique<Impl>()) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

void Batch::put(Family family, BytesView key, BytesView value) {
  impl_->add(Impl::Op::Put, family, key, value);
}
void Batch::del(Family family, BytesView key) {
  impl_->add(Impl::Op::Delete, family, key, {});
}
void Batch::del_range(Family family, BytesView from, BytesView to) {
  if (from < to) {
    impl_->add(Impl::Op::DeleteRange, family, from, to);
  }
}
bool Batch::empty() const {
  return impl_->ops.empty();
}
size_t Batch::bytes() const {
  return impl_->ops.size();
}
void Batch::append(const Batch& other) {
  impl_->ops += other.impl_->ops;
}
void Batch::clear() {
  impl_->ops.clear();
}

}  // namespace ica::store
