import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

import org.apache.kafka.common.TopicPartition;

/** What a broker has acknowledged since the last view. */
final class Acks {
	final Map<TopicPartition, Map<Long, View.Rec>> records =
	    new HashMap<>();
	/** Facts that are so now. */
	final Map<String, String> facts = new HashMap<>();
	/** Facts that are numbers and may have grown further. */
	final Map<String, Long> atLeast = new HashMap<>();
	/** Facts that need not be there any more. */
	final Set<String> gone = new HashSet<>();
	/** Topics that were deleted, maybe to be made again. */
	final Set<String> deleted = new HashSet<>();
	/** New log starts. */
	final Map<TopicPartition, Long> starts = new HashMap<>();

	private long count;

	/** How many records there were. */
	synchronized long count() {
		return count;
	}

	synchronized void record(TopicPartition at, long offset,
	    View.Rec record) {
		count++;
		records.computeIfAbsent(at, k -> new HashMap<>())
		    .put(offset, record);
	}

	synchronized void fact(String name, String value) {
		gone.remove(name);
		facts.put(name, value);
	}

	synchronized void remove(String name) {
		facts.remove(name);
		gone.add(name);
	}

	synchronized void atLeast(String name, long value) {
		atLeast.merge(name, value, Math::max);
	}

	synchronized void delete(String topic) {
		deleted.add(topic);
		records.keySet().removeIf(at -> at.topic().equals(topic));
	}

	synchronized void start(TopicPartition at, long offset) {
		starts.put(at, offset);
	}
}
