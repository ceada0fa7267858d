import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;

import org.apache.kafka.common.TopicPartition;

/**
 * All that clients can see of a cluster at one moment, and what may become of
 * it: nothing but what was asked for.
 */
final class View {
	/** A record; text is all of it but its place. */
	static final class Rec {
		final String key;	/* "-" is null */
		final String value;
		final String text;
		int epoch = -1;		/* the leader's; -1: not known */
		boolean committed;	/* read_committed shows it */

		Rec(String key, String value, String text) {
			this.key = key;
			this.value = value;
			this.text = text;
		}

		boolean tombstone() {
			return value.equals("-");
		}
	}

	static final class Part {
		long start;
		long end;
		long stable;		/* the last stable offset */
		final TreeMap<Long, Rec> records = new TreeMap<>();
	}

	final Map<TopicPartition, Part> parts = new HashMap<>();
	/** Everything that is no record: topics, configs, groups' offsets… */
	final TreeMap<String, String> facts = new TreeMap<>();
	final List<String> problems = new ArrayList<>();

	static boolean compacted(String topic) {
		return topic.startsWith("compacted");
	}

	/** The broker's own: written and compacted behind the scenes. */
	static boolean internal(String topic) {
		return topic.startsWith("__");
	}

	void problem(String format, Object... arguments) {
		problems.add(String.format(format, arguments));
	}

	/* --- One view by itself ------------------------------------------- */

	/**
	 * What must hold whatever was there before.  committed: transactions
	 * that were, of those whose records do not say.
	 */
	void checkAlone(Set<String> committed) {
		Map<String, List<Rec>> transactions = new HashMap<>();
		Map<String, Boolean> decided = new HashMap<>();

		parts.forEach((at, part) -> {
			checkPart(at, part);
			part.records.forEach((offset, rec) -> {
				if (!rec.value.startsWith("txn "))
					return;
				String name = rec.value.split("/")[0];
				transactions.computeIfAbsent(name,
				    k -> new ArrayList<>()).add(rec);
				decided.merge(name, offset < part.stable,
				    Boolean::logicalAnd);
			});
		});
		transactions.forEach((name, records) ->
		    checkTransaction(name, records, decided.get(name),
			committed.contains(name)));
	}

	private void checkPart(TopicPartition at, Part part) {
		Set<String> values = new HashSet<>();
		int epoch = -1;

		if (part.start > part.stable || part.stable > part.end)
			problem("%s: start %d, stable %d, end %d", at,
			    part.start, part.stable, part.end);
		for (Map.Entry<Long, Rec> entry : part.records.entrySet()) {
			Rec rec = entry.getValue();

			if (rec.epoch < epoch)
				problem("%s, offset %d: epoch %d after %d", at,
				    entry.getKey(), rec.epoch, epoch);
			epoch = rec.epoch;
			if (entry.getKey() < part.start ||
			    entry.getKey() >= part.end)
				problem("%s, offset %d is not within %d-%d",
				    at, entry.getKey(), part.start, part.end);
			if (rec.value.contains("#") && !values.add(rec.value))
				problem("%s, offset %d: %s is there twice", at,
				    entry.getKey(), rec.value);
		}
	}

	/** "txn FATE NAME SIZE": all of it is seen, or nothing. */
	private void checkTransaction(String name, List<Rec> records,
	    boolean decided, boolean committed) {
		String fate = committed ? "commit" : name.split(" ")[1];
		long size = Long.parseLong(name.split(" ")[3]);
		long seen = records.stream().filter(r -> r.committed).count();

		switch (fate) {
		case "commit":
			if (decided && seen != size)
				problem("%s: %d records are seen", name, seen);
			break;
		case "abort":
		case "open":
			if (seen > 0)
				problem("%s: %d records are seen", name, seen);
			break;
		default:
			if (decided && seen != 0 && seen != size)
				problem("%s: %d records are seen", name, seen);
		}
	}

	/* --- From one view to the next ------------------------------------ */

	/**
	 * What was in old and what was acknowledged since is in this one, where
	 * it was.  exact: and nothing else.
	 */
	void checkAfter(View old, Acks acks, boolean exact) {
		old.parts.forEach((at, before) -> {
			Part now = parts.get(at);

			if (acks.deleted.contains(at.topic()))
				return;
			if (now == null)
				problem("%s is not there any more", at);
			else
				checkAfter(at, before, now, acks, exact);
		});
		acks.records.keySet().forEach(at -> {
			if (!old.parts.containsKey(at) ||
			    acks.deleted.contains(at.topic()))
				checkAfter(at, new Part(), parts.get(at), acks,
				    false);
		});
		old.facts.forEach((name, value) -> checkFact(name, value, acks));
		acks.facts.forEach((name, value) -> {
			if (!value.equals(facts.get(name)))
				problem("%s: %s was acknowledged, %s is there",
				    name, value, facts.get(name));
		});
		acks.atLeast.forEach((name, value) -> {
			if (Long.parseLong(facts.getOrDefault(name, "-1")) <
			    value)
				problem("%s: %d was acknowledged, %s is there",
				    name, value, facts.get(name));
		});
	}

	private void checkFact(String name, String value, Acks acks) {
		String now = facts.get(name);

		if (acks.facts.containsKey(name) ||
		    acks.atLeast.containsKey(name) || acks.gone.contains(name))
			return;
		if (!value.equals(now))
			problem("%s: was %s, is %s", name, value, now);
	}

	private void checkAfter(TopicPartition at, Part before, Part now,
	    Acks acks, boolean exact) {
		TreeMap<Long, Rec> wanted = new TreeMap<>(before.records);
		Map<Long, Rec> acked = acks.records.get(at);
		long end = before.end;

		if (now == null) {
			problem("%s: was acknowledged and is not there", at);
			return;
		}
		if (acked != null)
			wanted.putAll(acked);
		if (!wanted.isEmpty())
			end = Math.max(end, wanted.lastKey() + 1);
		if (now.end < end || now.stable < before.stable)
			problem("%s: end %d, stable %d after end %d, stable %d",
			    at, now.end, now.stable, end, before.stable);
		if (exact && !internal(at.topic()) && now.end != before.end)
			problem("%s: end %d, was %d", at, now.end, before.end);
		checkStart(at, before, now, acks);
		checkOld(at, before, now);
		if (compacted(at.topic()))
			checkState(at, wanted, before, now);
		else
			checkAll(at, wanted, now);
	}

	private void checkStart(TopicPartition at, Part before, Part now,
	    Acks acks) {
		long least = Math.max(before.start,
		    acks.starts.getOrDefault(at, 0L));

		if (now.start < least)
			problem("%s: start %d, was %d", at, now.start, least);
		if (now.start > least && !at.topic().startsWith("retained"))
			problem("%s: start %d, not %d", at, now.start, least);
	}

	/** Below the old end nothing is new or other, nor seen otherwise. */
	private void checkOld(TopicPartition at, Part before, Part now) {
		now.records.headMap(before.end).forEach((offset, rec) -> {
			Rec was = before.records.get(offset);

			if (was == null)
				problem("%s, offset %d: %s was not there", at,
				    offset, rec.text);
			else if (!was.text.equals(rec.text))
				problem("%s, offset %d: was %s, is %s", at,
				    offset, was.text, rec.text);
			else if (was.epoch != rec.epoch)
				problem("%s, offset %d: epoch %d, was %d", at,
				    offset, rec.epoch, was.epoch);
			else if (offset < before.stable &&
			    was.committed != rec.committed)
				problem("%s, offset %d: committed %s, was %s",
				    at, offset, rec.committed, was.committed);
		});
	}

	private void checkAll(TopicPartition at, TreeMap<Long, Rec> wanted,
	    Part now) {
		wanted.tailMap(now.start).forEach((offset, rec) -> {
			Rec is = now.records.get(offset);

			if (is == null || !is.text.equals(rec.text))
				problem("%s, offset %d: %s, wanted %s", at,
				    offset, is == null ? null : is.text,
				    rec.text);
		});
	}

	/** The last record of each key, unless a later one replaced it. */
	private void checkState(TopicPartition at, TreeMap<Long, Rec> wanted,
	    Part before, Part now) {
		Map<String, Long> last = new HashMap<>();
		Map<String, Long> latest = new HashMap<>();

		wanted.forEach((offset, rec) -> {
			if (rec.committed || offset >= before.end)
				last.put(rec.key, offset);
		});
		now.records.forEach((offset, rec) -> {
			if (rec.committed)
				latest.put(rec.key, offset);
		});
		last.forEach((key, offset) -> {
			Rec rec = wanted.get(offset);
			Rec is = now.records.get(offset);

			if (latest.getOrDefault(key, -1L) > offset ||
			    offset >= now.stable)
				return;
			if (is == null ? !rec.tombstone() :
			    !is.text.equals(rec.text))
				problem("%s, offset %d: %s, wanted %s", at,
				    offset, is == null ? null : is.text,
				    rec.text);
		});
	}

	/* --- A number for all of it --------------------------------------- */

	/**
	 * The checksum over all that both this view and other must have, of
	 * logs that are not compacted.
	 */
	String checksum(View other) {
		CRC32C crc = new CRC32C();
		long count = 0;

		for (Map.Entry<TopicPartition, Part> entry :
		    new TreeMap<TopicPartition, Part>(byName(parts)).entrySet()) {
			TopicPartition at = entry.getKey();
			Part part = entry.getValue();
			Part its = other.parts.get(at);

			if (its == null || compacted(at.topic()) ||
			    !id(at).equals(other.id(at)))
				continue;
			for (Map.Entry<Long, Rec> rec : part.records
			    .headMap(Math.min(part.end, its.end)).entrySet()) {
				if (rec.getKey() < its.start)
					continue;
				crc.update((at + " " + rec.getKey() + " " +
				    rec.getValue().text + "\n").getBytes());
				count++;
			}
		}
		return String.format("%d records, checksum %08x", count,
		    crc.getValue());
	}

	/** The topic's id. */
	private String id(TopicPartition at) {
		return facts.get("topic " + at.topic()).split(" ")[0];
	}

	private static TreeMap<TopicPartition, Part> byName(
	    Map<TopicPartition, Part> parts) {
		TreeMap<TopicPartition, Part> sorted = new TreeMap<>(
		    (a, b) -> a.toString().compareTo(b.toString()));

		sorted.putAll(parts);
		return sorted;
	}
}
