import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * A member of a classic or consumer group, on a thread of its own, that commits
 * what it has read.
 *
 * join NAME GROUP PROTOCOL TOPICS [KEY=VALUE...]; has NAME COUNT: until it has
 * so many partitions; read NAME COUNT: until it has committed so many records;
 * ends NAME: until it failed; leave NAME.
 */
public class Member extends Thread {
	private static final Map<String, Member> MEMBERS = new HashMap<>();
	private final KafkaConsumer<byte[], byte[]> consumer;
	private volatile Set<TopicPartition> assignment = Set.of();
	private volatile int count;
	private volatile String failure;

	Member(String name, String group, String protocol, String topics,
			List<String> more) {
		super(name);
		Map<String, Object> settings = Clients.settings(more);
		settings.put("client.id", name);
		settings.put("group.id", group);
		settings.put("group.protocol", protocol);
		settings.put("auto.offset.reset", "earliest");
		settings.put("enable.auto.commit", "false");
		consumer = new KafkaConsumer<>(settings);
		if (topics.startsWith("^") && protocol.equals("consumer"))
			consumer.subscribe(new SubscriptionPattern(topics));
		else if (topics.startsWith("^"))
			consumer.subscribe(Pattern.compile(topics));
		else
			consumer.subscribe(Arrays.asList(topics.split(",")));
		setDaemon(true);
		start();
	}

	@Override
	public void run() {
		try {
			for (;;) {
				int more = consumer.poll(Duration.ofMillis(100)).count();
				if (more > 0)
					consumer.commitSync();
				count += more;
				assignment = Set.copyOf(consumer.assignment());
			}
		} catch (WakeupException e) {
			failure = "left";
		} catch (Exception e) {
			failure = Clients.name(e);
		}
		consumer.close();
	}

	private void leave() throws Exception {
		consumer.wakeup();
		join();
		if (!failure.equals("left"))
			System.out.println(failure);
	}

	public static void main(String[] words) throws Exception {
		Member member = MEMBERS.get(words[1]);
		int count = words.length == 3 ? Integer.parseInt(words[2]) : 0;
		switch (words[0]) {
		case "join" -> MEMBERS.put(words[1], new Member(words[1], words[2],
				words[3], words[4], Clients.rest(words, 5)));
		case "has" -> Clients.await(String.join(" ", words),
				() -> member.assignment.size() == count);
		case "read" -> Clients.await(String.join(" ", words),
				() -> member.count == count);
		case "ends" -> {
			member.join();
			System.out.println(member.failure);
		}
		default -> member.leave();
		}
	}
}
