import java.sql.PreparedStatement;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/** The three tables in Kafka Streams' DSL, with RocksDB stores. Settings come from the environment, BENCH_*. */
public final class KafkaStreamsPeer {
  /** With what the disorder asks for, 5 s, it drops most of a backlog: partitions are read at different event times. */
  private static final Duration GRACE = Duration.ofHours(24);

  private static final Map<String, ?> SETTINGS =
      Map.of(
          "num.stream.threads", 2,
          "statestore.cache.max.bytes", 256L << 20,
          "auto.offset.reset", "earliest",
          "consumer.max.poll.records", 5_000,
          "consumer.max.partition.fetch.bytes", 4 << 20,
          "producer.batch.size", 64 << 10,
          "producer.linger.ms", 100,
          "topology.optimization", "all");

  public static void main(String[] args) {
    Properties properties = new Properties();
    properties.putAll(SETTINGS);
    properties.put("application.id", System.getenv("BENCH_ID"));
    properties.put("bootstrap.servers", System.getenv("BENCH_BOOTSTRAP"));
    properties.put("state.dir", System.getenv("BENCH_FOLDER") + "/state");
    properties.put("commit.interval.ms", System.getenv("BENCH_COMMIT_MS"));
    properties.put("processing.guarantee", System.getenv("BENCH_GUARANTEE"));
    properties.put("producer.transaction.timeout.ms", 60_000);

    Topology topology = topology(Duration.ofMillis(Long.parseLong(System.getenv("BENCH_FLUSH_MS")))).build(properties);
    KafkaStreams streams = new KafkaStreams(topology, properties);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    System.out.println("BEGIN");
    streams.start();
  }

  private static StreamsBuilder topology(Duration flush) {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Event> events =
        builder.stream(
            System.getenv("BENCH_TOPIC"),
            Consumed.with(Serdes.String(), Event.SERDE)
                .withTimestampExtractor((record, time) -> ((Event) record.value()).event_ts));
    TimeWindows minute = TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), GRACE);
    TimeWindows three = TimeWindows.ofSizeAndGrace(Duration.ofMinutes(3), GRACE).advanceBy(Duration.ofMinutes(1));

    // Another key: it goes through a repartition topic, which carries no more than the type.
    events
        .map((user, event) -> KeyValue.pair(event.event_type, 1L))
        .groupByKey(Grouped.with("by-type", Serdes.String(), Serdes.Long()))
        .windowedBy(minute)
        .count(counts("event-counts"))
        .toStream()
        .process(() -> new TableSink<>("event_counts", "event_type", "count", PreparedStatement::setLong, flush));

    KGroupedStream<String, Event> byUser = events.groupByKey(Grouped.with(Serdes.String(), Event.SERDE));
    byUser
        .windowedBy(minute)
        .count(counts("user-counts"))
        .toStream()
        .process(() -> new TableSink<>("user_event_counts", "user_id", "count", PreparedStatement::setLong, flush));
    byUser
        .windowedBy(three)
        .aggregate(
            () -> new Average(0, 0),
            (user, event, average) -> average.plus(event.waiting_time_ms),
            Materialized.<String, Average, WindowStore<Bytes, byte[]>>as("user-average")
                .withKeySerde(Serdes.String())
                .withValueSerde(Average.SERDE))
        .toStream()
        .process(
            () ->
                new TableSink<Average>(
                    "user_avg_waiting_time",
                    "user_id",
                    "avg_waiting_time_ms",
                    (statement, index, average) -> statement.setDouble(index, average.mean()),
                    flush));
    return builder;
  }

  private static Materialized<String, Long, WindowStore<Bytes, byte[]>> counts(String store) {
    return Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(store)
        .withKeySerde(Serdes.String())
        .withValueSerde(Serdes.Long());
  }
}
