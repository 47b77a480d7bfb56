import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** An event of the topic, by Jackson's data binding. */
@JsonIgnoreProperties(ignoreUnknown = true)
public class Event {
  public String event_id;
  public String user_id;
  public String event_type;
  public long event_ts;
  public double waiting_time_ms;

  private static final ObjectReader READER = new ObjectMapper().readerFor(Event.class);
  private static final ObjectWriter WRITER = new ObjectMapper().writerFor(Event.class);

  static final Serde<Event> SERDE = Serdes.serdeFrom((topic, event) -> write(event), (topic, bytes) -> read(bytes));

  private static byte[] write(Event event) {
    try {
      return WRITER.writeValueAsBytes(event);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Event read(byte[] bytes) {
    try {
      return READER.readValue(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
