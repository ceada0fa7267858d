import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * open ID [KEY=VALUE...]; begin ID; send ID TOPIC; offset ID GROUP TOPIC OFFSET;
 * commit ID; abort ID; close ID.
 *
 * hang TOPIC: a record of a transaction that no coordinator knows, from the
 * beginning of 2024.
 */
public class Txn {
	private static final Map<String, KafkaProducer<byte[], byte[]>>
			PRODUCERS = new HashMap<>();

	static void open(String[] words) {
		Map<String, Object> settings =
				Clients.settings(Clients.rest(words, 2));
		settings.put("transactional.id", words[1]);
		settings.put("client.id", words[1]);
		KafkaProducer<byte[], byte[]> producer =
				new KafkaProducer<>(settings);
		producer.initTransactions();
		PRODUCERS.put(words[1], producer);
	}

	static void hang(String topic) throws Exception {
		Raw raw = new Raw();
		raw.send(ApiKeys.INIT_PRODUCER_ID, (short) 4,
				new InitProducerIdRequestData()
						.setTransactionalId(null).setProducerId(-1)
						.setProducerEpoch((short) -1)
						.setTransactionTimeoutMs(60000));
		long id = raw.receive().get("producerId").asLong();
		MemoryRecords records = MemoryRecords.withTransactionalRecords(
				Compression.NONE, id, (short) 0, 0,
				new SimpleRecord(Data.BEGIN, "hanging".getBytes()));
		ProduceRequestData request = new ProduceRequestData()
				.setTransactionalId("nobody").setAcks((short) -1)
				.setTimeoutMs(10000);
		request.topicData().add(new ProduceRequestData.TopicProduceData()
				.setName(topic).setPartitionData(List.of(
				new ProduceRequestData.PartitionProduceData()
						.setIndex(0).setRecords(records))));
		raw.send(ApiKeys.PRODUCE, (short) 9, request);
		System.out.println(raw.receive());
	}

	@SuppressWarnings("removal")
	static void command(String[] words) throws Exception {
		KafkaProducer<byte[], byte[]> producer = PRODUCERS.get(words[1]);
		switch (words[0]) {
		case "open" -> open(words);
		case "begin" -> producer.beginTransaction();
		case "send" -> System.out.println(producer.send(
				new ProducerRecord<>(words[2], 0, null,
						"value".getBytes())).get().offset());
		case "offset" -> producer.sendOffsetsToTransaction(
				Map.of(new TopicPartition(words[3], 0),
						new OffsetAndMetadata(
								Long.parseLong(words[4]))),
				new ConsumerGroupMetadata(words[2]));
		case "commit" -> producer.commitTransaction();
		case "abort" -> producer.abortTransaction();
		case "close" -> producer.close();
		default -> hang(words[1]);
		}
	}

	public static void main(String[] words) {
		try {
			command(words);
		} catch (Exception e) {
			System.out.println(Clients.name(e));
		}
	}
}
