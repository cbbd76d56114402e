// codec_bench: what it costs to understand a webhook. A Google Benchmark program: --benchmark_filter, --help.
//
// p50_us is the median over all calls. allocations is the number of one call: beside the events, one arena a body, so
// that fields nobody knows must not change it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "libs/base/check.h"
#include "libs/channel/codec.h"
#include "libs/channel/tools/count_allocations.h"

namespace channel {
namespace {

using mesh::bus::v1::Channel;
using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;

// `unknown`: written into the first message, such as "\"new_field\":1,".
std::string WhatsAppBody(int messages, const std::string& text, const std::string& unknown = "") {
  std::string body = R"({"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":)"
                     R"({"messaging_product":"whatsapp",)"
                     R"("metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},)"
                     R"("contacts":[{"profile":{"name":"Sheena Nelson"},"wa_id":"16505551234"}],"messages":[)";
  for (int i = 0; i < messages; ++i) {
    if (i > 0) body += ',';
    body += "{" + (i == 0 ? unknown : std::string()) + R"("from":"16505551234","id":"wamid.HBgLMTY1MDU1NTEyMzQVAgAS)" +
            std::to_string(i) + R"(","timestamp":"1749416383","type":"text","text":{"body":")" + text + R"("}})";
  }
  return body + R"(]},"field":"messages"}]}]})";
}

std::string MessagingBody(const std::string& object) {
  return R"({"object":")" + object + R"(","entry":[{"id":"682498302938465","time":1502905976963,"messaging":[)" +
         R"({"sender":{"id":"1254459154682919"},"recipient":{"id":"682498302938465"},"timestamp":1502905976377,)" +
         R"("message":{"mid":"m_AG5Hz2U0008","text":"What is the capital of Japan?"}}]}]})";
}

void Decode(benchmark::State& state, Channel channel, const std::string& body, std::size_t events) {
  const Codec* codec = FindCodec(channel);
  std::vector<double> microseconds;
  std::int64_t allocated = 0;
  for (auto _ : state) {
    const std::int64_t before = AllocationsSoFar();
    const auto begun = std::chrono::steady_clock::now();
    auto decoded = codec->Decode(body);
    microseconds.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
    allocated = AllocationsSoFar() - before;
    CHECK(decoded.ok() && decoded->size() == events);
  }
  std::nth_element(microseconds.begin(), microseconds.begin() + static_cast<std::ptrdiff_t>(microseconds.size() / 2),
                   microseconds.end());
  state.counters["p50_us"] = microseconds[microseconds.size() / 2];
  state.counters["allocations"] = static_cast<double>(allocated);
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
}

void Text(benchmark::State& state, Channel channel) {
  const std::string body = channel == CHANNEL_WHATSAPP    ? WhatsAppBody(1, "What is the capital of Japan?")
                           : channel == CHANNEL_MESSENGER ? MessagingBody("page")
                                                          : MessagingBody("instagram");
  Decode(state, channel, body, 1);
}
BENCHMARK_CAPTURE(Text, whatsapp, CHANNEL_WHATSAPP);
BENCHMARK_CAPTURE(Text, messenger, CHANNEL_MESSENGER);
BENCHMARK_CAPTURE(Text, instagram, CHANNEL_INSTAGRAM);

// As large as a webhook gets: 1,000 updates and 3 MB.
void LargestBatch(benchmark::State& state) {
  const std::string empty = WhatsAppBody(1000, "");
  Decode(state, CHANNEL_WHATSAPP, WhatsAppBody(1000, std::string((3'000'000 - empty.size()) / 1000, 'x')), 1000);
}
BENCHMARK(LargestBatch)->Unit(benchmark::kMillisecond);

void UnknownFields(benchmark::State& state) {
  std::string unknown;
  for (int i = 0; i < state.range(0); ++i) unknown += "\"unknown_" + std::to_string(i) + "\":{\"a\":[1,2,\"b\"]},";
  Decode(state, CHANNEL_WHATSAPP, WhatsAppBody(1, "hello", unknown), 1);
}
BENCHMARK(UnknownFields)->Arg(0)->Arg(100)->Arg(10'000);

}  // namespace
}  // namespace channel

BENCHMARK_MAIN();
