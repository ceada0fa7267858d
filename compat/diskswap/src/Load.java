import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What is under way while a broker is killed.  The producers do not give up:
 * what had no answer they send again to whoever serves next, which has to see
 * that it has it already.
 */
final class Load {
	private static final int SIZE = 6;	/* of a transaction */

	private final String bootstrap;
	private final Acks acks;
	private final Set<String> committed;
	private final String batches;	/* under way at once */
	private final int step;
	private final Random random;
	private final List<Thread> threads = new ArrayList<>();
	/**
	 * Held from the end of a transaction until its markers are written: a
	 * kill waits for that, because a Kafka that starts drops the markers of
	 * those that were decided before.
	 */
	private final Object ending = new Object();
	private volatile Throwable failure;
	private volatile boolean stop;

	Load(String bootstrap, Acks acks, Set<String> committed,
	    String batches, int step, long seed) {
		this.bootstrap = bootstrap;
		this.acks = acks;
		this.committed = committed;
		this.batches = batches;
		this.step = step;
		this.random = new Random(seed);
	}

	private interface Task {
		void run() throws Exception;
	}

	private void begin(Task task) {
		Thread thread = new Thread(() -> {
			try {
				task.run();
			} catch (Throwable e) {
				failure = e;
			}
		});

		threads.add(thread);
		thread.start();
	}

	void start(boolean transactions) {
		for (String codec : Work.CODECS) {
			long seed = random.nextLong();

			begin(() -> produce(codec, seed));
		}
		begin(this::commit);
		begin(this::create);
		if (transactions)
			begin(this::transact);
	}

	/** Kill the broker, and send nothing new. */
	void kill(ProcessHandle broker) {
		synchronized (ending) {
			broker.destroyForcibly();
			stop = true;
		}
	}

	/** Everything that was sent has arrived. */
	void finish() throws Exception {
		for (Thread thread : threads) {
			thread.join(DiskSwap.PATIENCE.toMillis());
			if (thread.isAlive())
				throw new IllegalStateException("what was sent" +
				    " before the kill does not arrive");
		}
		if (failure != null)
			throw new IllegalStateException("load: " + failure,
			    failure);
	}

	private void produce(String codec, long seed) throws Exception {
		Random order = new Random(seed);

		try (Writer writer = new Writer(bootstrap, acks, seed, Map.of(
			"compression.type", codec, "batch.size", "2000",
			"max.in.flight.requests.per.connection", batches))) {
			for (int i = 0; !stop; i++) {
				some(writer, order, i);
				Thread.sleep(1);
			}
		}
	}

	private void some(Writer writer, Random order, int i) {
		long n = step * 1000 + 600 + i % 300;

		writer.send("codecs", i % 3, Writer.time(n, 50), null,
		    writer.uniqueValue(order.nextInt(200)), true);
		writer.send("append-time", i % 2, Writer.time(n, 1), null,
		    writer.uniqueValue(30), true);
		writer.send("compacted", i % 2, Writer.time(n, 1000),
		    Writer.bytes("k" + order.nextInt(40)),
		    order.nextInt(8) == 0 ? null : writer.uniqueValue(40),
		    true);
		if (i % 8 == 0)
			writer.send("segments", i % 2, Writer.time(n, 100),
			    null, writer.uniqueValue(order.nextInt(8000)),
			    true);
	}

	private void commit() throws Exception {
		TopicPartition at = new TopicPartition("codecs", 0);

		try (KafkaConsumer<byte[], byte[]> consumer =
			new KafkaConsumer<>(Map.of("bootstrap.servers",
			    bootstrap, "group.id", "swift",
			    "enable.auto.commit", "false"),
			    new ByteArrayDeserializer(),
			    new ByteArrayDeserializer())) {
			for (long i = step * 1000000L; !stop; i++) {
				consumer.commitSync(Map.of(at,
				    new OffsetAndMetadata(i)));
				acks.atLeast("group swift " + at, i);
			}
			consumer.close(Duration.ZERO);
		} catch (TimeoutException e) {
			if (!stop)
				throw e;
		}
	}

	/** Topics; the one that had no answer may be there or not. */
	private void create() throws Exception {
		try (Admin admin = Admin.create(Map.of("bootstrap.servers",
			(Object)bootstrap))) {
			for (int i = 0; i < 15 && !stop; i++) {
				String name = "born-" + step + "-" + i;
				CreateTopicsResult made = admin.createTopics(
				    List.of(Work.topic(name, 1 + i % 3)));

				acks.fact("topic " + name,
				    made.topicId(name).get() + " with " +
				    (1 + i % 3));
				Thread.sleep(20);
			}
		} catch (ExecutionException e) {
			if (!stop)
				throw e;
		}
	}

	private void transact() throws Exception {
		Writer writer = Transactions.writer(bootstrap, acks,
		    random.nextLong(), "loaded", "lz4");

		try {
			open(writer, 0);
			for (int i = 0; !stop; i++) {
				for (int k = 1; k < SIZE; k++)
					send(writer, i, k);
				synchronized (ending) {
					writer.producer().commitTransaction();
					committed.add(name(i));
					open(writer, i + 1);
				}
			}
		} catch (KafkaException e) {
			if (!stop)
				throw e;
		} finally {
			writer.abandon();
		}
	}

	private String name(int transaction) {
		return String.format("txn maybe %d-l%d %d", step, transaction,
		    SIZE);
	}

	private void send(Writer writer, int transaction, int k) {
		writer.send("transactions", k % 3, Writer.time(k, 1), null,
		    writer.value(name(transaction) + "/" + k, 20), true);
	}

	/** A first record is not taken before the last one's markers are. */
	private void open(Writer writer, int transaction) throws Exception {
		writer.producer().beginTransaction();
		send(writer, transaction, 0);
		writer.flush();
	}
}
