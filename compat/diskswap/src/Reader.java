import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads a whole cluster into a view. */
final class Reader {
	private final String bootstrap;
	private final Admin admin;
	private final View view = new View();

	private Reader(String bootstrap, Admin admin) {
		this.bootstrap = bootstrap;
		this.admin = admin;
	}

	/**
	 * old: what is known of things that this broker does not serve, which
	 * it has to keep all the same; may be null.
	 */
	static View read(String bootstrap, Admin admin, Served served, View old)
	    throws Exception {
		Reader reader = new Reader(bootstrap, admin);

		reader.topics();
		reader.records();
		reader.times();
		reader.groups();
		reader.configs();
		reader.section("feature ", served.features(), old,
		    reader::features);
		reader.section("acl ", served.acls(), old, reader::acls);
		reader.section("scram ", served.scram(), old, reader::scram);
		reader.section("quota ", served.quotas(), old, reader::quotas);
		reader.section("share ", served.shareGroups(), old,
		    reader::shareGroups);
		reader.section("group config ", served.groupConfigs(), old,
		    reader::groupConfigs);
		return reader.view;
	}

	private interface Step {
		void run() throws Exception;
	}

	private void section(String prefix, boolean served, View old,
	    Step step) throws Exception {
		if (served)
			step.run();
		else if (old != null)
			view.facts.putAll(old.facts.subMap(prefix,
			    prefix + Character.MAX_VALUE));
	}

	/* --- Topics and records ------------------------------------------- */

	private void topics() throws Exception {
		Set<String> names = admin.listTopics(
		    new ListTopicsOptions().listInternal(true)).names().get();

		for (TopicDescription topic : admin.describeTopics(names)
		    .allTopicNames().get().values()) {
			view.facts.put("topic " + topic.name(), topic.topicId() +
			    " with " + topic.partitions().size());
			topic.partitions().forEach(p -> view.parts.put(
			    new TopicPartition(topic.name(), p.partition()),
			    new View.Part()));
		}
	}

	private KafkaConsumer<byte[], byte[]> consumer(String isolation) {
		return new KafkaConsumer<>(Map.of(
		    "bootstrap.servers", bootstrap,
		    "isolation.level", isolation,
		    "enable.auto.commit", "false",
		    "auto.offset.reset", "earliest",
		    "max.poll.records", "10000",
		    "max.partition.fetch.bytes", "4194304"),
		    new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	private void records() {
		try (KafkaConsumer<byte[], byte[]> all =
			consumer("read_uncommitted");
		    KafkaConsumer<byte[], byte[]> committed =
			consumer("read_committed")) {
			Map<TopicPartition, Long> stable =
			    committed.endOffsets(view.parts.keySet());
			Map<TopicPartition, Long> ends =
			    all.endOffsets(view.parts.keySet());

			view.parts.forEach((at, part) -> {
				part.stable = stable.get(at);
				part.end = ends.get(at);
			});
			ends.keySet().removeIf(at -> View.internal(at.topic()));
			stable.keySet().retainAll(ends.keySet());
			readTo(all, ends, this::add);
			readTo(committed, stable, this::commit);
			/* Last: retention goes on meanwhile. */
			all.beginningOffsets(view.parts.keySet()).forEach(
			    (at, start) -> {
				View.Part part = view.parts.get(at);

				part.start = start;
				part.records.headMap(start).clear();
			});
		}
	}

	private interface Taker {
		void take(TopicPartition at, ConsumerRecord<byte[], byte[]> in);
	}

	private void readTo(KafkaConsumer<byte[], byte[]> consumer,
	    Map<TopicPartition, Long> ends, Taker taker) {
		long deadline = System.nanoTime() + DiskSwap.PATIENCE.toNanos();
		List<TopicPartition> behind = new ArrayList<>(ends.keySet());

		consumer.assign(behind);
		consumer.seekToBeginning(behind);
		while (!behind.isEmpty()) {
			for (ConsumerRecord<byte[], byte[]> in :
			    consumer.poll(Duration.ofMillis(100)))
				taker.take(new TopicPartition(in.topic(),
				    in.partition()), in);
			behind.removeIf(at ->
			    consumer.position(at) >= ends.get(at));
			if (System.nanoTime() > deadline)
				throw new IllegalStateException(behind.get(0) +
				    " cannot be read beyond " +
				    consumer.position(behind.get(0)));
			consumer.assign(behind);
		}
	}

	private void add(TopicPartition at, ConsumerRecord<byte[], byte[]> in) {
		View.Part part = view.parts.get(at);
		View.Rec rec = record(in.timestampType().toString(),
		    in.timestamp(), in.key(), in.value(), in.headers());

		if (in.offset() >= part.end)
			return;
		rec.epoch = in.leaderEpoch().orElse(-1);
		if (part.records.put(in.offset(), rec) != null)
			view.problem("%s, offset %d was read twice", at,
			    in.offset());
	}

	private void commit(TopicPartition at,
	    ConsumerRecord<byte[], byte[]> in) {
		View.Part part = view.parts.get(at);
		View.Rec rec = part.records.get(in.offset());

		if (in.offset() >= part.stable)
			return;
		if (rec != null)
			rec.committed = true;
		else if (!View.compacted(at.topic()))
			view.problem("%s, offset %d: only read_committed sees" +
			    " it", at, in.offset());
	}

	/** The one text of a record, of what was sent as of what is read. */
	static View.Rec record(String type, long timestamp, byte[] key,
	    byte[] value, Iterable<Header> headers) {
		StringBuilder text = new StringBuilder();
		String k = text(key), v = text(value);

		text.append(type).append(' ').append(timestamp).append(' ')
		    .append(k).append(' ').append(v);
		for (Header header : headers)
			text.append(' ').append(header.key()).append('=')
			    .append(text(header.value()));
		return new View.Rec(k, v, text.toString());
	}

	/** "-" for null, or what it begins with, its length and a hash. */
	private static String text(byte[] bytes) {
		String all;

		if (bytes == null)
			return "-";
		all = new String(bytes, StandardCharsets.ISO_8859_1);
		if (bytes.length <= 40)
			return all;
		return all.split("\\|")[0] + "|" + bytes.length + "," +
		    hash(bytes);
	}

	private static String hash(byte[] bytes) {
		CRC32C crc = new CRC32C();

		crc.update(bytes);
		return String.format("%08x", crc.getValue());
	}

	/* --- Times -------------------------------------------------------- */

	private static long timestamp(View.Rec rec) {
		return Long.parseLong(rec.text.split(" ")[1]);
	}

	/** What was read a moment ago may be gone. */
	private static boolean shrinks(String topic) {
		return View.compacted(topic) || topic.equals("retained");
	}

	/** Offsets that ListOffsets finds by time, against the records. */
	private void times() throws Exception {
		Random random = new Random(view.parts.size());

		for (int round = 0; round < 3; round++) {
			Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
			Map<TopicPartition, Long> wanted = new HashMap<>();

			view.parts.forEach((at, part) -> {
				if (part.records.isEmpty() ||
				    at.topic().contains("transactions"))
					return;
				Object[] all = part.records.values().toArray();
				long time = timestamp((View.Rec)
				    all[random.nextInt(all.length)]);
				asked.put(at, OffsetSpec.forTimestamp(time));
				wanted.put(at, part.records.entrySet().stream()
				    .filter(e -> timestamp(e.getValue()) >= time)
				    .findFirst().get().getKey());
			});
			Map<TopicPartition, ListOffsetsResultInfo> found =
			    admin.listOffsets(asked).all().get();
			wanted.forEach((at, offset) -> {
				long is = found.get(at).offset();

				if (is < offset ||
				    (is > offset && !shrinks(at.topic())))
					view.problem("%s: offset %d by time, not" +
					    " %d", at, is, offset);
			});
		}
	}

	/* --- All the rest ------------------------------------------------- */

	private void groups() throws Exception {
		List<String> names = admin.listConsumerGroups().all().get()
		    .stream().map(g -> g.groupId()).collect(Collectors.toList());

		for (String name : names)
			admin.listConsumerGroupOffsets(name)
			    .partitionsToOffsetAndMetadata().get()
			    .forEach((at, offset) -> {
				if (offset != null)
					view.facts.put("group " + name + " " + at,
					    "" + offset.offset());
			});
	}

	private void configs() throws Exception {
		List<ConfigResource> all = new ArrayList<>();

		for (TopicPartition at : view.parts.keySet())
			if (at.partition() == 0)
				all.add(new ConfigResource(
				    ConfigResource.Type.TOPIC, at.topic()));
		all.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
		all.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
		changed(all).forEach((resource, entries) -> view.facts.put(
		    "config " + resource, entries));
	}

	/** The entries that are set for a resource itself. */
	private Map<String, String> changed(Collection<ConfigResource> all)
	    throws Exception {
		Map<String, String> texts = new TreeMap<>();

		admin.describeConfigs(all).all().get().forEach((r, config) ->
		    texts.put(r.type() + " " + r.name(), config.entries()
			.stream().filter(e -> own(r, e))
			.map(e -> e.name() + "=" + e.value()).sorted()
			.collect(Collectors.joining(" "))));
		return texts;
	}

	private static boolean own(ConfigResource resource, ConfigEntry entry) {
		switch (entry.source()) {
		case DYNAMIC_TOPIC_CONFIG:
		case DYNAMIC_BROKER_CONFIG:
		case DYNAMIC_GROUP_CONFIG:
		case DYNAMIC_CLIENT_METRICS_CONFIG:
			return true;
		case DYNAMIC_DEFAULT_BROKER_CONFIG:
			return resource.name().isEmpty();
		default:
			return false;
		}
	}

	private void groupConfigs() throws Exception {
		changed(List.of(
		    new ConfigResource(ConfigResource.Type.GROUP, "modern"),
		    new ConfigResource(ConfigResource.Type.CLIENT_METRICS,
			"watched"))).forEach((name, entries) ->
		    view.facts.put("group config " + name, entries));
	}

	private void features() throws Exception {
		admin.describeFeatures().featureMetadata().get()
		    .finalizedFeatures().forEach((name, range) ->
			view.facts.put("feature " + name,
			    "" + range.maxVersionLevel()));
	}

	private void acls() throws Exception {
		admin.describeAcls(AclBindingFilter.ANY).values().get()
		    .forEach(acl -> view.facts.put("acl " + acl, "set"));
	}

	private void scram() throws Exception {
		admin.describeUserScramCredentials().all().get()
		    .forEach((user, description) -> view.facts.put(
			"scram " + user,
			new TreeSet<>(description.credentialInfos().stream()
			    .map(i -> i.mechanism() + "=" + i.iterations())
			    .collect(Collectors.toSet())).toString()));
	}

	private void quotas() throws Exception {
		admin.describeClientQuotas(ClientQuotaFilter.all()).entities()
		    .get().forEach((entity, quotas) -> view.facts.put("quota " +
			new TreeMap<>(entity.entries().entrySet().stream()
			    .collect(Collectors.toMap(Map.Entry::getKey,
				e -> String.valueOf(e.getValue())))),
			new TreeMap<>(quotas).toString()));
	}

	private void shareGroups() throws Exception {
		admin.listShareGroupOffsets(Map.of("sharers",
		    new ListShareGroupOffsetsSpec()))
		    .partitionsToOffsetInfo("sharers").get()
		    .forEach((at, offset) -> view.facts.put("share " + at,
			offset == null ? "-" : "" + offset.startOffset()));
	}
}
