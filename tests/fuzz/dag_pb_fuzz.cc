#include "common/codec/dag_pb.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto node = decode_dag_pb(input);
  if (node.has_value()) {
    ICA_ASSERT(decode_dag_pb(encode_dag_pb(*node)).value() == *node);
  }
}
