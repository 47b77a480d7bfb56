import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A mean that can be added to. */
record Average(long count, double sum) {
  static final Serde<Average> SERDE = Serdes.serdeFrom((topic, average) -> write(average), (topic, bytes) -> read(bytes));

  Average plus(double value) {
    return new Average(count + 1, sum + value);
  }

  double mean() {
    return sum / count;
  }

  private static byte[] write(Average average) {
    return average == null ? null : ByteBuffer.allocate(16).putLong(average.count).putDouble(average.sum).array();
  }

  private static Average read(byte[] bytes) {
    if (bytes == null) return null;
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    return new Average(buffer.getLong(), buffer.getDouble());
  }
}
