#include "agent/adder/add_answer.h"
#include "agent/rest/handlers.h"
#include "agent/rest/read.h"
#include "common/base/json_writer.h"

namespace ica::rest {

Task<void> add_content(Exchange& exchange) {
  auto boundary = co_await or_bad_request(
      exchange, adder::multipart_boundary(exchange.request.header("Content-Type")));
  if (!boundary) {
    co_return;
  }
  auto wanted =
      co_await or_bad_request(exchange, adder::read_add_query(exchange.query, Time::now()));
  if (!wanted) {
    co_return;
  }
  adder::AddAnswer answer;
  answer.line = [](const api::AddedOutput& line) {
    std::string text;
    JsonWriter json(text);
    write_json(json, line);
    return text;
  };
  Exchange* const self = &exchange;
  answer.run = [self](adder::AddOptions options, adder::PartSource& parts,
                      adder::OutputSink& output) {
    return self->cluster.add(std::move(options), parts, output, self->stop());
  };
  answer.fail = [self](const Error& error) { return self->send_error(error); };
  co_await adder::answer_add(exchange, std::move(*wanted), std::move(*boundary), std::move(answer));
}

}  // namespace ica::rest
