import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * restart GROUP [KEY=VALUE...]: kill the session's own broker and start it with
 * these settings more, until it knows the group again; lasts {GROUP STATE
 * MS}...: until the groups are in these states, which has to be about so long
 * after.
 */
public class Broker {
	private static final long SLACK_MS = 1500;
	private static long begin;

	static void restart(String[] words) throws Exception {
		// run.sh's own_broker does it.
		Files.writeString(Path.of("requests"), String.join(" ",
				Clients.rest(words, 2)) + "\n");
		System.out.print(Files.readString(Path.of("answers")));
		Clients.await(String.join(" ", words),
				() -> !Group.state(words[1]).equals("gone"));
		begin = System.nanoTime();
	}

	/** When each group comes to its state, or -1. */
	static long[] came(List<String> words) throws Exception {
		long[] at = new long[words.size() / 3];
		long now, end = SLACK_MS;
		Arrays.fill(at, -1);
		for (int i = 0; i < at.length; i++)
			end = Math.max(end, SLACK_MS
					+ Long.parseLong(words.get(3 * i + 2)));
		do {
			now = (System.nanoTime() - begin) / 1000000;
			for (int i = 0; i < at.length; i++)
				if (at[i] < 0 && Group.state(words.get(3 * i))
						.equals(words.get(3 * i + 1)))
					at[i] = now;
		} while (now < end);
		return at;
	}

	static void lasts(List<String> words) throws Exception {
		long[] at = came(words);
		for (int i = 0; i < at.length; i++) {
			String group = words.get(3 * i);
			long off = at[i] - Long.parseLong(words.get(3 * i + 2));
			System.out.println(group + (at[i] < 0
					? " is " + Group.state(group)
					: Math.abs(off) < SLACK_MS ? " in time"
					: " after " + at[i] + " ms"));
		}
	}

	public static void main(String[] words) throws Exception {
		if (words[0].equals("restart"))
			restart(words);
		else
			lasts(Clients.rest(words, 1));
	}
}
