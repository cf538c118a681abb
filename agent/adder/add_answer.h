#pragma once

#include <functional>
#include <string>

#include "agent/adder/add_query.h"
#include "agent/adder/part_source.h"
#include "common/web/exchange.h"

namespace ica::adder {

// How an HTTP API answers an upload: the REST API and the IPFS proxy differ in these.
struct AddAnswer {
  // One line of the answer as JSON, without a newline.
  std::function<std::string(const api::AddedOutput&)> line;
  // The use case.
  std::function<Task<Result<Cid>>(AddOptions, PartSource&, OutputSink&)> run;
  // Answers with an error, where nothing has been sent yet.
  std::function<Task<void>(const Error&)> fail;
};

// Reads the multipart body of `exchange` as an upload and answers it as the reference does: a line
// as soon as it is known and errors as the trailer X-Stream-Error, or with `wanted.stream` off one
// array with a real status. Memory: that of one add, and in array mode the array (bounded).
Task<void> answer_add(web::Exchange& exchange, AddRequest wanted, std::string boundary,
                      AddAnswer answer);

}  // namespace ica::adder
