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

void Batch::replay(Handler& handler) const {
  BytesView in = impl_->ops;
  while (!in.empty()) {
    const auto op = static_cast<Impl::Op>(in[0]);
    const auto family = static_cast<Family>(in[1]);
    in.remove_prefix(2);
    const BytesView a = take(in);
    const BytesView b = take(in);
    switch (op) {
      case Impl::Op::Put:
        handler.put(family, a, b);
        break;
      case Impl::Op::Delete:
        handler.del(family, a);
        break;
      case Impl::Op::DeleteRange:
        handler.del_range(family, a, b);
        break;
    }
  }
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
