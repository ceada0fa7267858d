import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;

/**
 * A member of a share group that acknowledges one by one.
 *
 * open NAME GROUP TOPIC [KEY=VALUE...]; poll NAME COUNT: until it has so many
 * records, which it prints with their delivery counts; idle NAME MS: what comes
 * in so much time; ack NAME PARTITION OFFSET TYPE...: of offset, offset + 1,
 * …; commit NAME; close NAME.
 *
 * work NAME COUNT [PARTITION:OFFSET=TYPE[+TYPE...]...]: poll and acknowledge so
 * many records, a record each time it comes with its next type, ACCEPT where
 * there is none.  In how many pieces they come does not show.
 */
public class Share {
	private static final Map<String, Share> MEMBERS = new HashMap<>();
	private static final int WAIT_MS = 40000;
	private static final int FETCH_MS = 600;
	private final KafkaShareConsumer<byte[], byte[]> consumer;
	private final Map<String, ConsumerRecord<byte[], byte[]>> records =
			new HashMap<>();

	Share(String name, String group, String topic, List<String> more) {
		Map<String, Object> settings = Clients.settings(more);
		settings.put("client.id", name);
		settings.put("group.id", group);
		settings.putIfAbsent("share.acknowledgement.mode", "explicit");
		consumer = new KafkaShareConsumer<>(settings);
		consumer.subscribe(List.of(topic));
	}

	static String place(ConsumerRecord<byte[], byte[]> record) {
		return record.partition() + ":" + record.offset();
	}

	static String told(ConsumerRecord<byte[], byte[]> record) {
		return place(record) + " delivery "
				+ record.deliveryCount().get();
	}

	private void poll(int count, long limit) throws InterruptedException {
		long end = System.nanoTime() + limit * 1000000;
		List<String> lines = new ArrayList<>();
		while (lines.size() < count && System.nanoTime() < end)
			for (var record : consumer.poll(Duration.ofMillis(200))) {
				records.put(place(record), record);
				lines.add(told(record));
			}
		lines.sort(null);
		lines.forEach(System.out::println);
		// A fetch that is under way would take what comes next.
		Thread.sleep(FETCH_MS);
	}

	private void ack(String[] words) {
		long offset = Long.parseLong(words[3]);
		for (String type : Clients.rest(words, 4))
			consumer.acknowledge(records.get(words[2] + ":" + offset++),
					AcknowledgeType.valueOf(type));
	}

	private Map<String, String> commit() {
		Map<String, String> lines = new TreeMap<>();
		Map<TopicIdPartition, Optional<KafkaException>> results =
				consumer.commitSync();
		results.forEach((partition, error) -> lines.put(
				partition.topicPartition().toString(),
				error.map(Clients::name).orElse("committed")));
		return lines;
	}

	private void work(String[] words) {
		long end = System.nanoTime() + WAIT_MS * 1000000L;
		int count = Integer.parseInt(words[2]), done = 0;
		Map<String, List<String>> plan = new HashMap<>();
		Map<String, String> lines = new TreeMap<>();
		for (String word : Clients.rest(words, 3))
			plan.put(word.split("=")[0], new ArrayList<>(
					List.of(word.split("=")[1].split("\\+"))));
		while (done < count && System.nanoTime() < end) {
			for (var record : consumer.poll(Duration.ofMillis(200))) {
				List<String> types = plan.get(place(record));
				String type = types == null || types.isEmpty()
						? "ACCEPT" : types.remove(0);
				consumer.acknowledge(record,
						AcknowledgeType.valueOf(type));
				lines.merge(place(record), told(record) + " "
						+ type, (a, b) -> a + "\n" + b);
				done++;
			}
			lines.putAll(commit());
		}
		lines.values().forEach(System.out::println);
	}

	private void command(String[] words) throws InterruptedException {
		switch (words[0]) {
		case "poll" -> poll(Integer.parseInt(words[2]), WAIT_MS);
		case "idle" -> poll(1000, Long.parseLong(words[2]));
		case "ack" -> ack(words);
		case "commit" -> commit().forEach((partition, line) ->
				System.out.println(partition + " " + line));
		case "work" -> work(words);
		default -> consumer.close();
		}
	}

	public static void main(String[] words) {
		try {
			if (words[0].equals("open"))
				MEMBERS.put(words[1], new Share(words[1], words[2],
						words[3], Clients.rest(words, 4)));
			else
				MEMBERS.get(words[1]).command(words);
		} catch (Exception e) {
			System.out.println(Clients.name(e));
		}
	}
}
