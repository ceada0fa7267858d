import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What is done on each broker in turn while it has peace. */
final class Work {
	static final List<String> CODECS =
	    List.of("none", "gzip", "snappy", "lz4", "zstd");

	/** The topics of the first step: partitions, then configs. */
	private static final Object[][] TOPICS = {
		{ "codecs", 3 },
		{ "append-time", 2, "message.timestamp.type=LogAppendTime" },
		{ "recoded-gzip", 1, "compression.type=gzip" },
		{ "recoded-snappy", 1, "compression.type=snappy" },
		{ "recoded-lz4", 1, "compression.type=lz4" },
		{ "recoded-zstd", 1, "compression.type=zstd" },
		{ "recoded-none", 1, "compression.type=uncompressed" },
		{ "segments", 2, "segment.bytes=1048576",
		    "index.interval.bytes=512" },
		{ "rolled", 1, "segment.ms=60000" },
		{ "compacted", 2, "cleanup.policy=compact", "segment.ms=60000",
		    "min.cleanable.dirty.ratio=0.01" },
		{ "compacted-forgets", 1, "cleanup.policy=compact",
		    "segment.ms=60000", "min.cleanable.dirty.ratio=0.01",
		    "delete.retention.ms=0" },
		{ "compacted-deletes", 1, "cleanup.policy=compact,delete",
		    "segment.ms=60000", "min.cleanable.dirty.ratio=0.01" },
		{ "compacted-transactions", 1, "cleanup.policy=compact",
		    "segment.ms=60000", "min.cleanable.dirty.ratio=0.01" },
		{ "trimmed", 2, "segment.ms=60000" },
		{ "retained", 1, "segment.ms=60000", "retention.bytes=20000" },
		{ "transactions", 3 },
		{ "open-transactions", 1 },
		{ "survivor", 1 },
		{ "grown", 1 },
	};

	private final String bootstrap;
	private final Admin admin;
	private final Served served;
	private final Acks acks;
	private final View last;
	private final int step;
	private final Random random;

	Work(String bootstrap, Admin admin, Served served, Acks acks,
	    View last, int step, long seed) {
		this.bootstrap = bootstrap;
		this.admin = admin;
		this.served = served;
		this.acks = acks;
		this.last = last;
		this.step = step;
		this.random = new Random(seed);
	}

	void run() throws Exception {
		if (step == 0)
			topics();
		changes();
		for (String codec : CODECS)
			codec(codec);
		compaction();
		trim();
		if (served.transactions())
			new Transactions(bootstrap, acks, step,
			    random.nextLong()).run();
		groups();
		renew();
		if (served.acls())
			acls();
		if (served.scram())
			scram();
		if (served.quotas())
			quotas();
		if (served.groupConfigs())
			groupConfigs();
		if (served.shareGroups())
			admin.alterShareGroupOffsets("sharers", Map.of(
			    new TopicPartition("codecs", 0), 3L + step))
			    .all().get();
		acks.gone.add("share codecs-0");
	}

	private Writer writer(String codec, String... more) {
		Map<String, String> settings = new HashMap<>();

		settings.put("compression.type", codec);
		for (String setting : more)
			settings.put(setting.split("=")[0],
			    setting.split("=")[1]);
		return new Writer(bootstrap, acks, random.nextLong(), settings);
	}

	/* --- Topics and configs ------------------------------------------- */

	static NewTopic topic(String name, int partitions, Object... configs) {
		Map<String, String> map = new HashMap<>();

		for (Object config : configs)
			map.put(((String)config).split("=")[0],
			    ((String)config).split("=")[1]);
		return new NewTopic(name, partitions, (short)1).configs(map);
	}

	private void create(Collection<NewTopic> topics) throws Exception {
		CreateTopicsResult made = admin.createTopics(topics);

		for (NewTopic topic : topics) {
			acks.fact("topic " + topic.name(),
			    made.topicId(topic.name()).get() + " with " +
			    topic.numPartitions());
			acks.fact("config TOPIC " + topic.name(),
			    topic.configs().entrySet().stream()
			    .map(Object::toString).sorted()
			    .collect(Collectors.joining(" ")));
		}
	}

	private void topics() throws Exception {
		List<NewTopic> topics = new ArrayList<>();

		for (Object[] row : TOPICS)
			topics.add(topic((String)row[0], (Integer)row[1],
			    Arrays.copyOfRange(row, 2, row.length)));
		create(topics);
	}

	private void alter(ConfigResource.Type type, String name,
	    String key, String value) throws Exception {
		admin.incrementalAlterConfigs(Map.of(
		    new ConfigResource(type, name), List.of(
			new AlterConfigOp(new ConfigEntry(key, value),
			    value == null ? AlterConfigOp.OpType.DELETE :
			    AlterConfigOp.OpType.SET)))).all().get();
	}

	/** Configs of all kinds that change, come and go; more partitions. */
	private void changes() throws Exception {
		String odd = step % 2 == 0 ? null : "" + (1000000 + step);

		alter(ConfigResource.Type.TOPIC, "grown", "max.message.bytes",
		    "" + (2000000 + step));
		alter(ConfigResource.Type.TOPIC, "grown", "flush.messages",
		    odd);
		alter(ConfigResource.Type.BROKER, "", "message.max.bytes",
		    "" + (1048588 + step));
		/* Not removed: a Kafka that starts would see it in a snapshot. */
		alter(ConfigResource.Type.BROKER, "1", "log.cleaner.threads",
		    step % 2 == 0 ? "1" : "2");
		acks.gone.add("config BROKER ");
		acks.gone.add("config BROKER 1");
		acks.fact("config TOPIC grown", (odd == null ? "" :
		    "flush.messages=" + odd + " ") + "max.message.bytes=" +
		    (2000000 + step));
		if (step == 0)
			return;
		admin.createPartitions(Map.of("grown",
		    NewPartitions.increaseTo(step + 1))).all().get();
		acks.fact("topic grown", last.facts.get("topic grown")
		    .split(" ")[0] + " with " + (step + 1));
	}

	/** A topic that is deleted and made again under its name. */
	private void renew() throws Exception {
		if (step > 0)
			admin.deleteTopics(Set.of("renewed")).all().get();
		acks.delete("renewed");
		create(List.of(topic("renewed", 1 + step % 2)));
		try (Writer writer = writer("none")) {
			for (int i = 0; i < 10 + step; i++)
				writer.send("renewed", 0, Writer.time(i, 1),
				    null, writer.uniqueValue(20), true);
		}
	}

	/* --- Records ------------------------------------------------------ */

	private byte[] key(int i) {
		return i % 7 == 0 ? null : i % 11 == 0 ? new byte[0] :
		    Writer.bytes("key " + i % 97);
	}

	private void codec(String codec) throws Exception {
		try (Writer writer = writer(codec, "enable.idempotence=" +
			random.nextBoolean(), "batch.size=4096")) {
			for (int i = 0; i < 120; i++) {
				writer.send("codecs", i % 3,
				    Writer.time(step * 1000 + i, 50), key(i),
				    i % 13 == 0 ? null : i % 17 == 0 ?
				    new byte[0] : writer.uniqueValue(i), true);
				writer.send("append-time", i % 2,
				    Writer.time(i, 1), key(i),
				    writer.uniqueValue(30), true);
				writer.send("recoded-" + CODECS.get(i % 5), 0,
				    Writer.time(step * 1000 + i, 7), key(i),
				    writer.uniqueValue(100), true);
				writer.send("rolled", 0, Writer.time(
				    step * 600 + i, 1500), key(i),
				    writer.uniqueValue(50), true);
			}
			writer.send("codecs", 0, Writer.time(step * 1000, 50),
			    null, writer.uniqueValue(300000), true);
			segments(writer);
			behind(writer);
		}
	}

	/** Behind what transactions left, open ones as well. */
	private void behind(Writer writer) {
		for (int i = 0; i < 3; i++)
			for (String topic : List.of("transactions",
			    "open-transactions"))
				writer.send(topic, 0, Writer.time(i, 1), null,
				    writer.uniqueValue(10), true);
	}

	/** Times that go to and fro, over several segments. */
	private void segments(Writer writer) {
		for (int i = 0; i < 200; i++)
			writer.send("segments", i % 2, Writer.time(step * 1000 +
			    i + random.nextInt(50), 100), key(i),
			    writer.uniqueValue(2000 + random.nextInt(2000)),
			    true);
	}

	private void compaction() throws Exception {
		for (String codec : CODECS)
			try (Writer writer = writer(codec,
				"batch.size=1000")) {
				compact(writer, CODECS.indexOf(codec));
			}
	}

	private void compact(Writer writer, int round) {
		for (int i = 0; i < 240; i++) {
			long n = (step * 5 + round) * 300 + i;
			byte[] key = Writer.bytes("k" + random.nextInt(40));

			writer.send("compacted", i % 2, Writer.time(n, 1000),
			    key, random.nextInt(8) == 0 ? null :
			    writer.uniqueValue(40), true);
			writer.send("compacted-forgets", 0,
			    Writer.time(n, 1000), key, random.nextInt(3) == 0 ?
			    null : writer.uniqueValue(40), true);
			writer.send("compacted-deletes", 0,
			    Writer.time(n, 1000), key, writer.uniqueValue(40),
			    true);
			writer.send("retained", 0, Writer.time(n, 1000), key,
			    writer.uniqueValue(100), true);
		}
	}

	private void trim() throws Exception {
		try (Writer writer = writer("lz4")) {
			for (int i = 0; i < 200; i++)
				writer.send("trimmed", i % 2, Writer.time(
				    step * 600 + i, 3000), key(i),
				    writer.uniqueValue(60), true);
		}
		TopicPartition at = new TopicPartition("trimmed", step % 2);

		acks.start(at, admin.deleteRecords(Map.of(at, RecordsToDelete
		    .beforeOffset(20 + step * 45))).lowWatermarks().get(at)
		    .get().lowWatermark());
	}

	/* --- Groups ------------------------------------------------------- */

	private KafkaConsumer<byte[], byte[]> member(String group,
	    String... more) {
		Map<String, Object> settings = new HashMap<>();

		settings.put("bootstrap.servers", bootstrap);
		settings.put("group.id", group);
		settings.put("auto.offset.reset", "earliest");
		settings.put("enable.auto.commit", "false");
		for (String setting : more)
			settings.put(setting.split("=")[0],
			    setting.split("=")[1]);
		return new KafkaConsumer<>(settings,
		    new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	private void groups() throws Exception {
		join("classic");
		if (served.modernGroups())
			join("modern", "group.protocol=consumer");
		try (KafkaConsumer<byte[], byte[]> simple = member("simple")) {
			commit("simple", simple, new TopicPartition("codecs",
			    step % 3), 100 + step, "note " + step);
		}
		for (int i = 0; i < 5; i++)
			try (KafkaConsumer<byte[], byte[]> many =
			    member("many-" + step + "-" + i)) {
				commit("many-" + step + "-" + i, many,
				    new TopicPartition("rolled", 0), i, "");
			}
		if (step > 1) {
			String old = "many-" + (step - 2) + "-0";

			admin.deleteConsumerGroups(Set.of(old)).all().get();
			acks.remove("group " + old + " rolled-0");
		}
	}

	private void commit(String group, KafkaConsumer<?, ?> consumer,
	    TopicPartition at, long offset, String note) {
		consumer.commitSync(Map.of(at, new OffsetAndMetadata(offset,
		    Optional.of(1), note)));
		acks.fact("group " + group + " " + at, "" + offset);
	}

	/** Go on where the group has been, and commit a little further. */
	private void join(String group, String... more) throws Exception {
		try (KafkaConsumer<byte[], byte[]> consumer =
			member(group, more)) {
			consumer.subscribe(List.of("codecs", "rolled"));
			long deadline = System.nanoTime() +
			    DiskSwap.PATIENCE.toNanos();

			while (consumer.assignment().isEmpty()) {
				if (System.nanoTime() > deadline)
					throw new IllegalStateException(
					    group + " gets no partitions");
				consumer.poll(Duration.ofMillis(100));
			}
			for (TopicPartition at : consumer.assignment())
				commit(group, consumer, at,
				    consumer.position(at) + 1, "");
		}
	}

	/* --- What not every broker serves --------------------------------- */

	private AclBinding acl(int number) {
		return new AclBinding(new ResourcePattern(ResourceType.TOPIC,
		    "guarded-" + number, number % 2 == 0 ?
		    PatternType.LITERAL : PatternType.PREFIXED),
		    new AccessControlEntry("User:ann", "*", AclOperation.READ,
			AclPermissionType.ALLOW));
	}

	private void acls() throws Exception {
		AclBinding old = acl(step - 2);

		admin.createAcls(List.of(acl(step))).all().get();
		acks.fact("acl " + acl(step), "set");
		admin.deleteAcls(List.of(old.toFilter())).all().get();
		acks.remove("acl " + old);
	}

	/** One user stays: Kafka forgets whom it adds with the last one's end. */
	private void scram() throws Exception {
		admin.alterUserScramCredentials(List.of(
		    new UserScramCredentialUpsertion("bob",
			new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512,
			    4096 + step), "secret"),
		    new UserScramCredentialUpsertion("ann",
			new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256,
			    4096 + step), "secret"),
		    new UserScramCredentialUpsertion("user" + step,
			new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512,
			    4096), "secret"))).all().get();
		acks.fact("scram ann", "[SCRAM_SHA_256=" + (4096 + step) + "]");
		acks.fact("scram bob", "[SCRAM_SHA_512=" + (4096 + step) + "]");
		acks.fact("scram user" + step, "[SCRAM_SHA_512=4096]");
		if (step > 1) {
			admin.alterUserScramCredentials(List.of(
			    new UserScramCredentialDeletion("user" + (step - 2),
				ScramMechanism.SCRAM_SHA_512))).all().get();
			acks.remove("scram user" + (step - 2));
		}
	}

	private static ClientQuotaAlteration quota(Map<String, String> entity,
	    String key, Double value) {
		return new ClientQuotaAlteration(new ClientQuotaEntity(entity),
		    List.of(new ClientQuotaAlteration.Op(key, value)));
	}

	private void quotas() throws Exception {
		Map<String, String> everybody = new HashMap<>();

		everybody.put("user", null);
		admin.alterClientQuotas(List.of(
		    quota(everybody, "producer_byte_rate", 1e9 + step),
		    quota(Map.of("user", "ann", "client-id", "c" + step),
			"consumer_byte_rate", 1e9),
		    quota(Map.of("user", "ann", "client-id", "c" + (step - 2)),
			"consumer_byte_rate", null),
		    quota(Map.of("ip", "10.0.0.1"), "connection_creation_rate",
			100.0 + step))).all().get();
		acks.fact("quota {user=null}", "{producer_byte_rate=" +
		    (1e9 + step) + "}");
		acks.fact("quota {client-id=c" + step + ", user=ann}",
		    "{consumer_byte_rate=1.0E9}");
		acks.remove("quota {client-id=c" + (step - 2) + ", user=ann}");
		acks.fact("quota {ip=10.0.0.1}", "{connection_creation_rate=" +
		    (100.0 + step) + "}");
	}

	private void groupConfigs() throws Exception {
		alter(ConfigResource.Type.GROUP, "modern",
		    "consumer.session.timeout.ms", "" + (45000 + step));
		acks.fact("group config GROUP modern",
		    "consumer.session.timeout.ms=" + (45000 + step));
		alter(ConfigResource.Type.CLIENT_METRICS, "watched",
		    "interval.ms", "" + (60000 + step));
		acks.fact("group config CLIENT_METRICS watched",
		    "interval.ms=" + (60000 + step));
	}
}
