import java.time.ZoneOffset;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** The three tables in Flink SQL: one job on a local minicluster. Settings come from the environment, BENCH_*. */
public final class FlinkPeer {
  private static final int PARALLELISM = 2;
  private static final long CHECKPOINT_MS = 10_000;
  private static final MemorySize MANAGED = MemorySize.ofMebiBytes(512);

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, configuration());
    environment.enableCheckpointing(CHECKPOINT_MS, CheckpointingMode.EXACTLY_ONCE);
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
    tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);

    tables.executeSql(
        """
        CREATE TABLE app_events (
          event_id STRING, user_id STRING, event_type STRING, event_ts BIGINT, waiting_time_ms DOUBLE,
          ts AS TO_TIMESTAMP_LTZ(event_ts, 3),
          WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
        ) WITH (
          'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'properties.group.id' = '%s',
          'properties.max.partition.fetch.bytes' = '4194304', 'properties.max.poll.records' = '5000',
          'scan.startup.mode' = 'earliest-offset', 'format' = 'json'
        )
        """
            .formatted(env("BENCH_TOPIC"), env("BENCH_BOOTSTRAP"), env("BENCH_ID")));
    sink(tables, "event_counts", "event_type", "`count` BIGINT");
    sink(tables, "user_event_counts", "user_id", "`count` BIGINT");
    sink(tables, "user_avg_waiting_time", "user_id", "avg_waiting_time_ms DOUBLE");

    String minute = "TUMBLE(TABLE app_events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)";
    String three = "HOP(TABLE app_events, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '3' MINUTE)";
    StatementSet statements = tables.createStatementSet();
    insert(statements, "event_counts", "event_type", "COUNT(*)", minute);
    insert(statements, "user_event_counts", "user_id", "COUNT(*)", minute);
    insert(statements, "user_avg_waiting_time", "user_id", "AVG(waiting_time_ms)", three);
    System.out.println("BEGIN");
    statements.execute().await();
  }

  private static Configuration configuration() {
    Configuration configuration = new Configuration();
    configuration.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.ADDRESS, "127.0.0.1");
    configuration.set(RestOptions.BIND_PORT, "0");
    configuration.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MANAGED);
    configuration.set(PipelineOptions.OBJECT_REUSE, true);
    configuration.set(StateBackendOptions.STATE_BACKEND, env("BENCH_STATE"));
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + env("BENCH_FOLDER") + "/checkpoints");
    return configuration;
  }

  private static void sink(StreamTableEnvironment tables, String table, String key, String column) {
    tables.executeSql(
        """
        CREATE TABLE %1$s (
          window_start TIMESTAMP(3), %2$s STRING, %3$s, PRIMARY KEY (window_start, %2$s) NOT ENFORCED
        ) WITH (
          'connector' = 'jdbc', 'url' = '%4$s', 'username' = '%5$s', 'password' = '%6$s', 'table-name' = '%1$s',
          'sink.buffer-flush.max-rows' = '5000', 'sink.buffer-flush.interval' = '1s'
        )
        """
            .formatted(table, key, column, env("BENCH_JDBC"), env("BENCH_DB_USER"), env("BENCH_DB_PASSWORD")));
  }

  private static void insert(StatementSet statements, String table, String key, String value, String windows) {
    statements.addInsertSql(
        "INSERT INTO %1$s SELECT window_start, %2$s, %3$s FROM TABLE(%4$s) GROUP BY window_start, window_end, %2$s"
            .formatted(table, key, value, windows));
  }

  private static String env(String name) {
    return System.getenv(name);
  }
}
