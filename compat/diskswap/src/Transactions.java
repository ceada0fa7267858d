import java.util.Map;
import java.util.Random;

import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Transactions of every fate, with groups' offsets in them. */
final class Transactions {
	private static final int SIZE = 9;

	private final String bootstrap;
	private final Acks acks;
	private final int step;
	private final Random random;
	private int count;

	Transactions(String bootstrap, Acks acks, int step, long seed) {
		this.bootstrap = bootstrap;
		this.acks = acks;
		this.step = step;
		this.random = new Random(seed);
	}

	/**
	 * A transactional writer; what hung under its id is aborted now.  It
	 * has one batch under way: where Kafka does not take the first one of a
	 * transaction yet, because the last one's markers are being written, it
	 * logs that the second one is out of order.
	 */
	static Writer writer(String bootstrap, Acks acks, long seed, String id,
	    String codec) {
		Writer writer = new Writer(bootstrap, acks, seed, Map.of(
		    "transactional.id", id, "compression.type", codec,
		    "transaction.timeout.ms", "900000",
		    "max.in.flight.requests.per.connection", "1"));

		writer.producer().initTransactions();
		return writer;
	}

	void run() throws Exception {
		for (String codec : Work.CODECS)
			try (Writer writer = writer(bootstrap, acks,
				random.nextLong(), "writer-" + codec, codec)) {
				for (int i = 0; i < 4; i++)
					one(writer, i % 3 != 1);
			}
		writer(bootstrap, acks, 0, "loaded", "none").close();
		open();
	}

	private void one(Writer writer, boolean commit) throws Exception {
		String fate = commit ? "commit" : "abort";
		String name = String.format("txn %s %d-%d %d/", fate, step,
		    count, SIZE);

		writer.producer().beginTransaction();
		for (int i = 0; i < SIZE; i++)
			writer.send("transactions", i % 3,
			    Writer.time(step * 1000 + i, 20), null,
			    writer.value(name + i, 20), true);
		for (int i = 0; i < 30; i++)
			writer.send("compacted-transactions", 0,
			    Writer.time((step * 20 + count) * 30 + i, 1000),
			    Writer.bytes("k" + random.nextInt(20)),
			    writer.uniqueValue(20), commit);
		offsets(writer, new TopicPartition("transactions", count % 3),
		    commit);
		writer.flush();
		if (commit)
			writer.producer().commitTransaction();
		else
			writer.producer().abortTransaction();
		count++;
	}

	private void offsets(Writer writer, TopicPartition at, boolean commit) {
		long offset = step * 1000 + count + (commit ? 0 : 500000);

		writer.producer().sendOffsetsToTransaction(Map.of(at,
		    new OffsetAndMetadata(offset)),
		    new ConsumerGroupMetadata("transactional"));
		if (commit)
			acks.fact("group transactional " + at, "" + offset);
	}

	/** One that nobody ends before the next step that has transactions. */
	private void open() throws Exception {
		Writer writer = writer(bootstrap, acks, random.nextLong(),
		    "open", "none");

		writer.producer().beginTransaction();
		for (int i = 0; i < SIZE; i++)
			writer.send("open-transactions", 0,
			    Writer.time(step * 1000 + i, 20), null,
			    writer.value(String.format("txn open %d %d/%d",
				step, SIZE, i), 20), true);
		writer.producer().sendOffsetsToTransaction(Map.of(
		    new TopicPartition("open-transactions", 0),
		    new OffsetAndMetadata(step)),
		    new ConsumerGroupMetadata("transactional"));
		writer.flush();
		writer.abandon();
	}
}
