import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * Upserts the latest value of each key: 5,000 at a time, and what is left every flush interval.
 *
 * <p>It is not tied to Kafka Streams' commit: what is buffered at a crash is lost until the key changes again, under
 * exactly_once_v2 too. The supported way is an output topic and Kafka Connect.
 */
final class TableSink<V> implements Processor<Windowed<String>, V, Void, Void> {
  interface Value<V> {
    void set(PreparedStatement statement, int index, V value) throws SQLException;
  }

  private static final int ROWS_AT_ONCE = 5_000;
  private static final ThreadLocal<Connection> CONNECTION = ThreadLocal.withInitial(TableSink::connect);

  private final String sql;
  private final Value<V> value;
  private final Duration flushInterval;
  private final Map<Windowed<String>, V> buffer = new LinkedHashMap<>();

  TableSink(String table, String key, String column, Value<V> value, Duration flushInterval) {
    this.sql =
        "INSERT INTO %1$s (window_start, %2$s, %3$s) VALUES (?, ?, ?) ON CONFLICT (window_start, %2$s) DO UPDATE SET %3$s = EXCLUDED.%3$s"
            .formatted(table, key, column);
    this.value = value;
    this.flushInterval = flushInterval;
  }

  @Override
  public void init(ProcessorContext<Void, Void> context) {
    context.schedule(flushInterval, PunctuationType.WALL_CLOCK_TIME, now -> flush());
  }

  @Override
  public void process(Record<Windowed<String>, V> record) {
    buffer.put(record.key(), record.value());
    if (buffer.size() >= ROWS_AT_ONCE) flush();
  }

  @Override
  public void close() {
    flush();
  }

  private void flush() {
    if (buffer.isEmpty()) return;
    Connection connection = CONNECTION.get();
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (Map.Entry<Windowed<String>, V> entry : buffer.entrySet()) {
        statement.setTimestamp(1, new Timestamp(entry.getKey().window().start()));
        statement.setString(2, entry.getKey().key());
        value.set(statement, 3, entry.getValue());
        statement.addBatch();
      }
      statement.executeBatch();
      connection.commit();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    buffer.clear();
  }

  private static Connection connect() {
    try {
      Connection connection =
          DriverManager.getConnection(
              System.getenv("BENCH_JDBC"), System.getenv("BENCH_DB_USER"), System.getenv("BENCH_DB_PASSWORD"));
      connection.setAutoCommit(false);
      return connection;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }
}
