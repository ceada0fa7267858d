import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * topic NAME PARTITIONS; produce TOPIC PARTITION COUNT: records whose
 * timestamps are a second apart, from the beginning of 2024 on, in one batch.
 */
public class Data {
	static final long BEGIN = 1704067200000L;

	public static void main(String[] words) throws Exception {
		if (words[0].equals("topic"))
			Clients.admin().createTopics(List.of(new NewTopic(words[1],
					Integer.parseInt(words[2]), (short) 1)))
					.all().get();
		else
			produce(words[1], Integer.parseInt(words[2]),
					Integer.parseInt(words[3]));
	}

	static void produce(String topic, int partition, int count) {
		try (KafkaProducer<byte[], byte[]> producer =
				new KafkaProducer<>(Clients.settings(
						List.of("linger.ms=1000")))) {
			for (int i = 0; i < count; i++)
				producer.send(new ProducerRecord<>(topic, partition,
						BEGIN + i * 1000L, null,
						("value-" + i).getBytes()));
			producer.flush();
		}
	}
}
