import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** From topic to topic in Flink SQL, each event once. Settings come from the environment, BENCH_*. */
public final class FlinkTransform {
  private static final int PARALLELISM = 2;
  private static final long CHECKPOINT_MS = 10_000;

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, configuration());
    environment.enableCheckpointing(CHECKPOINT_MS, CheckpointingMode.EXACTLY_ONCE);
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
    tables.executeSql(
        """
        CREATE TABLE events (
          event_id STRING, user_id STRING, event_type STRING, event_ts BIGINT, waiting_time_ms DOUBLE
        ) WITH (
          'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'properties.group.id' = '%s',
          'properties.max.partition.fetch.bytes' = '4194304', 'properties.max.poll.records' = '5000',
          'scan.startup.mode' = 'earliest-offset', 'format' = 'json'
        )
        """
            .formatted(env("BENCH_TOPIC"), env("BENCH_BOOTSTRAP"), env("BENCH_ID")));
    tables.executeSql(
        """
        CREATE TABLE passed (%s) WITH (
          'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s',
          'key.format' = 'raw', 'key.fields' = 'user_id', 'value.format' = 'json',
          'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '%s',
          'properties.transaction.timeout.ms' = '600000'
        )
        """
            .formatted(env("BENCH_COLUMNS"), env("BENCH_OUT"), env("BENCH_BOOTSTRAP"), env("BENCH_ID")));
    System.out.println("BEGIN");
    tables.executeSql("INSERT INTO passed " + env("BENCH_QUERY")).await();
  }

  private static Configuration configuration() {
    Configuration configuration = new Configuration();
    configuration.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.BIND_PORT, "0");
    configuration.set(PipelineOptions.OBJECT_REUSE, true);
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + env("BENCH_FOLDER") + "/checkpoints");
    return configuration;
  }

  private static String env(String name) {
    return System.getenv(name);
  }
}
