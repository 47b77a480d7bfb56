import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/** A condition and four columns of each event, to several topics. Settings come from the environment, BENCH_*. */
public final class StreamsTransform {
  private static final Map<String, ?> SETTINGS =
      Map.of(
          "num.stream.threads", 1,
          "auto.offset.reset", "earliest",
          "processing.guarantee", "exactly_once_v2",
          "producer.transaction.timeout.ms", 60_000,
          "topology.optimization", "all");

  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) {
    Properties properties = new Properties();
    properties.putAll(SETTINGS);
    properties.put("application.id", System.getenv("BENCH_ID"));
    properties.put("bootstrap.servers", System.getenv("BENCH_BOOTSTRAP"));
    properties.put("state.dir", System.getenv("BENCH_FOLDER") + "/state");
    properties.put("commit.interval.ms", System.getenv("BENCH_COMMIT_MS"));

    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, ObjectNode> events =
        builder.stream(System.getenv("BENCH_TOPIC"), Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .mapValues(StreamsTransform::read)
            .filter((user, event) -> event.path("waiting_time_ms").asDouble(-1) >= 0);
    for (String out : System.getenv("BENCH_OUT").split(","))
      events.mapValues(StreamsTransform::write).to(out, Produced.with(Serdes.String(), Serdes.ByteArray()));

    KafkaStreams streams = new KafkaStreams(builder.build(properties), properties);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    System.out.println("BEGIN");
    streams.start();
  }

  private static ObjectNode read(byte[] bytes) {
    try {
      return (ObjectNode) JSON.readTree(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] write(ObjectNode event) {
    ObjectNode row = JSON.createObjectNode();
    for (String name : new String[] {"event_id", "user_id", "event_ts"}) row.set(name, event.get(name));
    JsonNode waiting = event.get("waiting_time_ms");
    row.put("what", event.get("event_type").asText().toUpperCase(Locale.ROOT) + " " + Math.round(waiting.asDouble() * 10) / 10.0);
    try {
      return JSON.writeValueAsBytes(row);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
