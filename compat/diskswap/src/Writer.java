import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A producer that writes down what was acknowledged. */
final class Writer implements AutoCloseable {
	/** Makes values unique. */
	private static final AtomicLong serial = new AtomicLong();
	/** Within a day: producers of older records are soon forgotten. */
	private static final long BEGIN =
	    System.currentTimeMillis() - 12 * 3600 * 1000L;

	private final KafkaProducer<byte[], byte[]> producer;
	private final Random random;
	private volatile Acks acks;
	private volatile Exception failure;

	Writer(String bootstrap, Acks acks, long seed,
	    Map<String, String> settings) {
		Map<String, Object> all = new HashMap<>();

		all.put("bootstrap.servers", bootstrap);
		all.put("acks", "all");
		all.put("linger.ms", "2");
		all.put("reconnect.backoff.max.ms", "200");
		all.put("max.block.ms", "" + DiskSwap.PATIENCE.toMillis());
		all.put("delivery.timeout.ms",
		    "" + DiskSwap.PATIENCE.toMillis());
		/* Not all are idempotent: nobody sends twice while one works. */
		all.put("request.timeout.ms",
		    "" + DiskSwap.PATIENCE.toMillis() / 2);
		all.putAll(settings);
		producer = new KafkaProducer<>(all, new ByteArraySerializer(),
		    new ByteArraySerializer());
		random = new Random(seed);
		this.acks = acks;
	}

	KafkaProducer<byte[], byte[]> producer() {
		return producer;
	}

	/** From now on to be written down there. */
	void follow(Acks acks) {
		this.acks = acks;
	}

	static byte[] bytes(String text) {
		return text == null ? null :
		    text.getBytes(StandardCharsets.ISO_8859_1);
	}

	/** head, "|" and length letters that compress a little. */
	byte[] value(String head, int length) {
		StringBuilder text = new StringBuilder(head).append('|');

		for (int i = 0; i < length; i++)
			text.append((char)('a' + random.nextInt(6)));
		return bytes(text.toString());
	}

	byte[] uniqueValue(int length) {
		return value("#" + serial.incrementAndGet(), length);
	}

	/** Each kind of header there is, now and then. */
	List<Header> headers() {
		List<Header> headers = new ArrayList<>();

		switch (random.nextInt(4)) {
		case 0:
			headers.add(new RecordHeader("twice", bytes("1")));
			headers.add(new RecordHeader("twice", bytes("2")));
			break;
		case 1:
			headers.add(new RecordHeader("", bytes("")));
			headers.add(new RecordHeader("null", (byte[])null));
			headers.add(new RecordHeader("\u00fc\u2192", bytes("x")));
			break;
		default:
			break;
		}
		return headers;
	}

	/** The time of the n-th record of a topic whose records are ms apart. */
	static long time(long n, long ms) {
		return BEGIN + n * ms;
	}

	/** Send; it is noted once acknowledged, unless note is false. */
	void send(String topic, int partition, long timestamp, byte[] key,
	    byte[] value, boolean note) {
		List<Header> headers = headers();

		producer.send(new ProducerRecord<>(topic, partition, timestamp,
		    key, value, headers), (metadata, error) -> {
			if (error != null)
				failure = error;
			else if (note)
				acknowledged(metadata, timestamp, key, value,
				    headers);
		});
	}

	private void acknowledged(RecordMetadata metadata, long timestamp,
	    byte[] key, byte[] value, List<Header> headers) {
		boolean append = metadata.topic().equals("append-time");

		acks.record(new TopicPartition(metadata.topic(),
		    metadata.partition()), metadata.offset(),
		    Reader.record(append ? "LogAppendTime" : "CreateTime",
			append ? metadata.timestamp() : timestamp, key, value,
			headers));
	}

	/** All that was sent is acknowledged. */
	void flush() throws Exception {
		producer.flush();
		if (failure != null)
			throw failure;
	}

	/** Leave at once; what is under way may or may not arrive. */
	void abandon() {
		producer.close(Duration.ZERO);
	}

	@Override
	public void close() throws Exception {
		flush();
		producer.close();
	}
}
