import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.Stores;

/**
 * An application of Kafka Streams: counts by value, over a repartition topic
 * and a store with a changelog.
 *
 * start NAME GROUP INPUT OUTPUT [KEY=VALUE...]; has NAME COUNT: until it works
 * on so many tasks; stop NAME.
 */
public class App {
	private static final Map<String, KafkaStreams> APPS = new HashMap<>();

	static KafkaStreams app(String[] words) {
		StreamsBuilder builder = new StreamsBuilder();
		builder.<String, String>stream(words[3])
				.groupBy((key, value) -> value)
				.count(Materialized.<String, Long>as(
						Stores.inMemoryKeyValueStore("counts"))
						.withValueSerde(Serdes.Long()))
				.toStream().mapValues(count -> "" + count).to(words[4]);
		Properties settings = new Properties();
		settings.put("bootstrap.servers", Clients.BOOTSTRAP);
		settings.put("application.id", words[2]);
		settings.put("client.id", words[1]);
		settings.put("group.protocol", "streams");
		settings.put("state.dir", "state-" + words[1]);
		settings.put("commit.interval.ms", "100");
		settings.put("auto.offset.reset", "earliest");
		settings.put("default.key.serde", Serdes.StringSerde.class);
		settings.put("default.value.serde", Serdes.StringSerde.class);
		for (String line : Clients.rest(words, 5))
			settings.put(line.split("=", 2)[0], line.split("=", 2)[1]);
		return new KafkaStreams(builder.build(), settings);
	}

	static int tasks(KafkaStreams app) {
		return app.metadataForLocalThreads().stream()
				.mapToInt(thread -> thread.activeTasks().size())
				.sum();
	}

	public static void main(String[] words) throws Exception {
		if (words[0].equals("start")) {
			KafkaStreams app = app(words);
			APPS.put(words[1], app);
			app.start();
			Clients.await("running", () ->
					app.state() == KafkaStreams.State.RUNNING);
		} else if (words[0].equals("has")) {
			int count = Integer.parseInt(words[2]);
			Clients.await(String.join(" ", words), () ->
					tasks(APPS.get(words[1])) == count);
		} else {
			APPS.get(words[1]).close(
					CloseOptions.groupMembershipOperation(
					CloseOptions.GroupMembershipOperation
					.LEAVE_GROUP));
		}
	}
}
