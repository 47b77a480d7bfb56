import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.from_json;
import static org.apache.spark.sql.functions.timestamp_millis;
import static org.apache.spark.sql.functions.window;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.util.Iterator;
import org.apache.spark.api.java.function.ForeachPartitionFunction;
import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * The three tables in Spark Structured Streaming: one streaming query a table, update mode, upserts by foreachBatch.
 * Settings come from the environment, BENCH_*.
 */
public final class SparkPeer {
  private static final int ROWS_AT_ONCE = 5_000;

  private static final StructType EVENT =
      new StructType()
          .add("event_id", "string")
          .add("user_id", "string")
          .add("event_type", "string")
          .add("event_ts", "long")
          .add("waiting_time_ms", "double");

  public static void main(String[] args) throws Exception {
    SparkSession session =
        SparkSession.builder()
            .master("local[2]")
            .appName("bench")
            .config("spark.ui.enabled", false)
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", 2)
            .config("spark.local.dir", env("BENCH_FOLDER") + "/local")
            .config("spark.sql.warehouse.dir", env("BENCH_FOLDER") + "/warehouse")
            .getOrCreate();
    session.sparkContext().setLogLevel("ERROR");
    // The watermark is of all partitions together: it has to cover how far apart they are read.
    Dataset<Row> events =
        session
            .readStream()
            .format("kafka")
            .option("kafka.bootstrap.servers", env("BENCH_BOOTSTRAP"))
            .option("subscribe", env("BENCH_TOPIC"))
            .option("startingOffsets", "earliest")
            .option("kafka.max.partition.fetch.bytes", 4 << 20)
            .option("kafka.max.poll.records", 5_000)
            .load()
            .select(from_json(col("value").cast("string"), EVENT).as("event"))
            .select("event.*")
            .withColumn("ts", timestamp_millis(col("event_ts")))
            .withWatermark("ts", "1 minute");
    Column minute = window(col("ts"), "1 minute").as("w");
    Column three = window(col("ts"), "3 minutes", "1 minute").as("w");
    System.out.println("BEGIN");
    start(events.groupBy(minute, col("event_type")).agg(count("*").as("v")), "event_counts", "event_type", "count");
    start(events.groupBy(minute, col("user_id")).agg(count("*").as("v")), "user_event_counts", "user_id", "count");
    start(
        events.groupBy(three, col("user_id")).agg(avg("waiting_time_ms").as("v")),
        "user_avg_waiting_time",
        "user_id",
        "avg_waiting_time_ms");
    session.streams().awaitAnyTermination();
  }

  private static void start(Dataset<Row> aggregated, String table, String key, String column) throws Exception {
    aggregated
        .select("w.start", key, "v")
        .writeStream()
        .outputMode("update")
        .queryName(table)
        .option("checkpointLocation", env("BENCH_FOLDER") + "/checkpoints/" + table)
        .foreachBatch(upsert(table, key, column))
        .start();
  }

  private static VoidFunction2<Dataset<Row>, Long> upsert(String table, String key, String column) {
    String sql =
        "INSERT INTO %1$s (window_start, %2$s, %3$s) VALUES (?, ?, ?) ON CONFLICT (window_start, %2$s) DO UPDATE SET %3$s = EXCLUDED.%3$s"
            .formatted(table, key, column);
    return (batch, id) -> batch.foreachPartition((ForeachPartitionFunction<Row>) rows -> write(sql, rows));
  }

  private static void write(String sql, Iterator<Row> rows) throws Exception {
    if (!rows.hasNext()) return;
    try (Connection connection =
            DriverManager.getConnection(env("BENCH_JDBC"), env("BENCH_DB_USER"), env("BENCH_DB_PASSWORD"));
        PreparedStatement statement = connection.prepareStatement(sql)) {
      connection.setAutoCommit(false);
      for (int n = 1; rows.hasNext(); n++) {
        Row row = rows.next();
        statement.setTimestamp(1, row.getTimestamp(0));
        statement.setString(2, row.getString(1));
        statement.setObject(3, row.get(2));
        statement.addBatch();
        if (n % ROWS_AT_ONCE == 0) statement.executeBatch();
      }
      statement.executeBatch();
      connection.commit();
    }
  }

  private static String env(String name) {
    return System.getenv(name);
  }
}
