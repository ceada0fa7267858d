import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * comes GROUP STATE: until ListGroups has it in that state, or, with "gone",
 * not at all; assigned GROUP COUNT: until the members of a share group have so
 * many partitions together, and are all at its epoch; caught-up GROUP COUNT:
 * until it has committed the ends of so many partitions; sleep MS.
 */
public class Group {
	public static void main(String[] words) throws Exception {
		switch (words[0]) {
		case "comes" -> Clients.await(String.join(" ", words),
				() -> state(words[1]).equals(words[2]));
		case "assigned" -> Clients.await(String.join(" ", words),
				() -> assigned(words[1],
						Integer.parseInt(words[2])));
		case "sleep" -> Thread.sleep(Long.parseLong(words[1]));
		default -> Clients.await(String.join(" ", words),
				() -> caughtUp(words[1],
						Integer.parseInt(words[2])));
		}
	}

	static String state(String group) throws Exception {
		for (GroupListing one : Clients.admin().listGroups().all().get())
			if (one.groupId().equals(group))
				return one.groupState().get().toString();
		return "gone";
	}

	static boolean assigned(String group, int count) throws Exception {
		ShareGroupDescription now = Clients.admin()
				.describeShareGroups(List.of(group))
				.describedGroups().get(group).get();
		return now.members().stream().allMatch(member ->
				member.memberEpoch() == now.groupEpoch())
				&& now.members().stream().mapToInt(member -> member
				.assignment().topicPartitions().size())
				.sum() == count;
	}

	static boolean caughtUp(String group, int count) throws Exception {
		Map<TopicPartition, OffsetAndMetadata> committed = Clients.admin()
				.listConsumerGroupOffsets(group)
				.partitionsToOffsetAndMetadata().get();
		Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
		for (TopicPartition p : committed.keySet())
			ends.put(p, OffsetSpec.latest());
		for (var end : Clients.admin().listOffsets(ends).all().get()
				.entrySet())
			if (end.getValue().offset()
					!= committed.get(end.getKey()).offset())
				return false;
		return ends.size() == count;
	}
}
