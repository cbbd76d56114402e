#include "libs/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace telemetry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(RegistryTest, ExportsThePrometheusTextFormat) {
  Registry registry;
  registry.AddCounter("gateway_webhooks_total", "Webhooks taken.", {{"channel", "whatsapp"}}).Increment(3);
  registry.AddGauge("gateway_connections", "Open connections.").Set(2);
  const Histogram latency = registry.AddHistogram("gateway_ack_seconds", "Time to 200.", {0.1, 1});
  latency.Observe(0.05);
  latency.Observe(0.1);  // a bound is inclusive
  latency.Observe(5);
  const std::string text = registry.ToPrometheusText();
  EXPECT_THAT(text, HasSubstr("# HELP gateway_webhooks_total Webhooks taken.\n"
                              "# TYPE gateway_webhooks_total counter\n"
                              "gateway_webhooks_total{channel=\"whatsapp\"} 3"));
  EXPECT_THAT(text, HasSubstr("# TYPE gateway_connections gauge\ngateway_connections 2"));
  EXPECT_THAT(text, HasSubstr("gateway_ack_seconds_count 3"));
  EXPECT_THAT(text, HasSubstr("gateway_ack_seconds_bucket{le=\"0.1\"} 2"));
  EXPECT_THAT(text, HasSubstr("gateway_ack_seconds_bucket{le=\"1\"} 2"));
  EXPECT_THAT(text, HasSubstr("gateway_ack_seconds_bucket{le=\"+Inf\"} 3"));
}

TEST(RegistryTest, TheSameNameAndLabelsAreTheSameMetric) {
  Registry registry;
  registry.AddCounter("worker_steps_total", "Steps.").Increment();
  registry.AddCounter("worker_steps_total", "Steps.").Increment();
  EXPECT_EQ(registry.AddCounter("worker_steps_total", "Steps.").Value(), 2);
  EXPECT_EQ(registry.AddCounter("worker_steps_total", "Steps.", {{"mode", "instant"}}).Value(), 0);
}

TEST(RegistryTest, ListsItsNamesSorted) {
  Registry registry;
  registry.AddGauge("b_value", "B.");
  registry.AddCounter("a_total", "A.", {{"k", "1"}});
  registry.AddCounter("a_total", "A.", {{"k", "2"}});
  EXPECT_THAT(registry.MetricNames(), ElementsAre("a_total", "b_value"));
}

TEST(RegistryTest, RefreshesBeforeEachExport) {
  Registry registry;
  const Gauge depth = registry.AddGauge("worker_queue_depth", "Depth.");
  int reads = 0;
  registry.AddRefresh([&] { depth.Set(++reads); });
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("worker_queue_depth 1\n"));
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("worker_queue_depth 2\n"));
}

TEST(RegistryTest, LabelValuesBeyondTheMaximumShareOneMetric) {
  Registry registry;
  for (int i = 0; i < Registry::kLabelSetsMax + 100; ++i) {
    registry.AddCounter("sender_errors_total", "Errors.", {{"code", std::to_string(i)}}).Increment();
  }
  const std::string text = registry.ToPrometheusText();
  EXPECT_THAT(text, HasSubstr("sender_errors_total{code=\"255\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("code=\"256\"")));
  EXPECT_THAT(text, HasSubstr("sender_errors_total{code=\"other\"} 100"));
}

TEST(RegistryTest, EscapesLabelValues) {
  Registry registry;
  registry.AddGauge("exporter_topic_info", "Topic.", {{"topic", "a\"b\\c\nd"}}).Set(1);
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr(R"(exporter_topic_info{topic="a\"b\\c\nd"} 1)"));
}

TEST(RegistryTest, HandlesAreSafeFromManyThreads) {
  Registry registry;
  const Counter counter = registry.AddCounter("worker_tokens_total", "Tokens.");
  const Histogram histogram = registry.AddHistogram("worker_step_seconds", "Step.", LatencyBuckets());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) {
        counter.Increment();
        histogram.Observe(0.01);
      }
    });
  }
  for (int i = 0; i < 10; ++i) registry.ToPrometheusText();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Value(), 40'000);
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("worker_step_seconds_count 40000"));
}

TEST(RegistryDeathTest, RefusesNamesThatBreakTheRules) {
  Registry registry;
  registry.AddCounter("a_total", "A.");
  EXPECT_DEATH(registry.AddCounter("Mixed_Case", "X."), "Mixed_Case");
  EXPECT_DEATH(registry.AddCounter("", "X."), "CHECK failed");
  EXPECT_DEATH(registry.AddGauge("a_total", "A."), "a_total");
  EXPECT_DEATH(registry.AddCounter("a_total", "Another help."), "a_total");
  EXPECT_DEATH(registry.AddGauge("b", "B.", {{"bad-name", "1"}}), "bad-name");
  EXPECT_DEATH(registry.AddHistogram("c_seconds", "C.", {1, 1}), "c_seconds");
}

TEST(LatencyBucketsTest, SpanOneMillisecondToOneMinute) {
  EXPECT_EQ(LatencyBuckets().front(), 0.001);
  EXPECT_EQ(LatencyBuckets().back(), 60);
}

}  // namespace
}  // namespace telemetry
