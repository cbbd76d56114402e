#include "libs/engine/tools/bench/trace_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/throughput.h"
#include "libs/json/value.h"
#include "tests/libs/engine/temporary_file.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine::bench {
namespace {

json::Document Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  auto document = json::Document::Parse(std::string(std::istreambuf_iterator<char>(in), {}));
  EXPECT_TRUE(document.ok()) << document.status();
  return *std::move(document);
}

// Goal: what --trace writes is JSON that a viewer takes, with the kernels of each thread in the order of their time.
TEST(BenchTraceTest, TraceOfARunHasEveryThreadsKernelsOneAfterAnother) {
  const TemporaryFile file(TinyChatModel().Bytes()), trace_file("");
  Options options;
  options.model = file.path();
  options.batches = {2};
  options.prompt = 8;
  options.generate = 3;
  options.trace = trace_file.path();
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunThroughput(options), 0);
  testing::internal::GetCapturedStdout();
  const json::Document trace = Read(trace_file.path());
  EXPECT_EQ(trace.root().Find("otherData").Find("dropped_events").AsInt64(), 0);
  std::map<std::int64_t, double> ends;  // of each thread's last event
  std::set<std::string, std::less<>> names;
  for (const json::Value event : trace.root().Find("traceEvents").items()) {
    EXPECT_EQ(event.Find("ph").AsString(), "X");
    names.emplace(event.Find("name").AsString().value_or(""));
    double& end = ends[event.Find("tid").AsInt64().value_or(-1)];
    const double begin = event.Find("ts").AsDouble().value_or(-1), duration = event.Find("dur").AsDouble().value_or(-1);
    EXPECT_GE(begin, end - 0.002) << "microseconds, rounded to three digits";
    EXPECT_GE(duration, 0);
    end = begin + duration;
    EXPECT_GE(event.Find("args").Find("rows").AsInt64().value_or(0), 1);
  }
  EXPECT_TRUE(ends.contains(0));
  EXPECT_LE(ends.size(), 2u) << "the second thread may have found nothing left to do";
  for (const char* kernel : {"embed", "rope_store_kv", "sample"}) EXPECT_TRUE(names.contains(kernel)) << kernel;
}

TEST(BenchTraceTest, TraceWithoutEventsIsWholeAndAPathThatCannotBeWrittenIsTold) {
  const model::LaunchTrace none(/*threads=*/2, /*events_max_per_thread=*/4);
  const TemporaryFile file("");
  ASSERT_TRUE(WriteTraceFile(none, file.path()).ok());
  EXPECT_EQ(Read(file.path()).root().Find("traceEvents").size(), 0u);
  EXPECT_EQ(WriteTraceFile(none, "/nonexistent/trace.json").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace engine::bench
