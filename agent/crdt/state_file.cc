#include "agent/crdt/state_file.h"

#include <ostream>

#include "agent/crdt/records.h"

namespace ica::crdt {

Result<uint64_t> export_state(const store::Store& store, std::ostream& out) {
  auto cursor = store.cursor(store::Family::Pins, {}, store.snapshot());
  uint64_t pins = 0;
  for (cursor->seek_first(); cursor->valid() && out; cursor->next()) {
    TRY(const auto cid, Cid::from_bytes(cursor->key()).context("a key of the pinset"));
    TRY(const auto pin, pin_of_record(cid, cursor->value()));
    out << api::to_json(pin) << '\n';
    ++pins;
  }
  TRY_VOID(cursor->status());
  out.flush();
  if (!out) {
    return fail(Code::Io, "writing the state file failed");
  }
  return pins;
}

}  // namespace ica::crdt
