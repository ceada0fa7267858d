import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/**
 * The clients of a cluster that is served by one broker after the other from
 * the same directory.  Commands come as lines of standard input:
 *
 *     check		what the broker shows follows from what the last did
 *     work		write, change and commit all kinds of things
 *     kill PID BATCHES	kill the broker under load, with so many batches
 *			under way between a producer and a partition
 *     dump DIRECTORY	Kafka's tool reads the files
 *
 * Each is answered by a line, "ok …" or "fail …".
 */
final class DiskSwap {
	/**
	 * With all that comes in the end.  Nothing here measures a time, and a
	 * Kafka that starts after a kill on a busy machine takes minutes.
	 */
	static final Duration PATIENCE = Duration.ofMinutes(10);

	private final String bootstrap;
	private final Random random;
	private final Set<String> committed = new HashSet<>();
	private final Admin admin;
	private Acks acks = new Acks();
	private View last;
	private Load load;
	private Writer survivor;
	private int step;

	private DiskSwap(String bootstrap, long seed) {
		this.bootstrap = bootstrap;
		this.random = new Random(seed);
		this.admin = Admin.create(Map.of("bootstrap.servers",
		    (Object)bootstrap, "reconnect.backoff.max.ms", "200",
		    "default.api.timeout.ms", "" + PATIENCE.toMillis()));
	}

	public static void main(String[] arguments) throws Exception {
		DiskSwap swap = new DiskSwap(arguments[0],
		    Long.parseLong(arguments[1]));
		BufferedReader in = new BufferedReader(
		    new InputStreamReader(System.in));
		String line;

		while ((line = in.readLine()) != null)
			System.out.println(swap.answer(line.split(" ")));
		Runtime.getRuntime().halt(0);
	}

	private String answer(String[] words) {
		try {
			switch (words[0]) {
			case "check":
				return "ok " + check(load == null, "as before");
			case "work":
				return "ok " + work();
			case "kill":
				return "ok " + kill(Long.parseLong(words[1]),
				    words[2]);
			case "dump":
				return "ok " + Tools.dump(new File(words[1])) +
				    " lines by DumpLogSegments";
			default:
				return "fail no command " + words[0];
			}
		} catch (Exception e) {
			e.printStackTrace();
			return "fail " + words[0] + ": " +
			    String.valueOf(e).replace('\n', ' ');
		}
	}

	/** Read all, compare with the view before and what came since. */
	private String check(boolean exact, String what) throws Exception {
		View view;
		String sum;

		if (load != null)
			load.finish();
		load = null;
		view = Reader.read(bootstrap, admin, new Served(bootstrap, admin),
		    last);
		Tools.check(bootstrap, view);
		view.checkAlone(committed);
		view.checkAfter(last == null ? new View() : last, acks, exact);
		sum = view.checksum(last == null ? view : last);
		if (!view.problems.isEmpty()) {
			view.problems.forEach(System.err::println);
			throw new IllegalStateException(view.problems.size() +
			    " problems: " + view.problems.get(0));
		}
		if (last != null && !sum.equals(last.checksum(view)))
			throw new IllegalStateException(sum + ", before it was " +
			    last.checksum(view));
		last = view;
		acks = new Acks();
		return what + ": " + view.checksum(view);
	}

	private String work() throws Exception {
		Served served = new Served(bootstrap, admin);

		new Work(bootstrap, admin, served, acks, last, step,
		    random.nextLong()).run();
		survive();
		if (served.transactions())
			settle();
		step++;
		return check(false, "after work");
	}

	/** One producer for all brokers, whose sequence goes on. */
	private void survive() throws Exception {
		if (survivor == null)
			survivor = new Writer(bootstrap, acks,
			    random.nextLong(), Map.of());
		survivor.follow(acks);
		for (int i = 0; i < 50; i++)
			survivor.send("survivor", 0, Writer.time(i, 1), null,
			    survivor.uniqueValue(10), true);
		survivor.flush();
	}

	/** Markers follow a moment after a commit was acknowledged. */
	private void settle() throws Exception {
		long deadline = System.nanoTime() + PATIENCE.toNanos();

		while (System.nanoTime() < deadline) {
			if (end("transactions", 0, true) ==
			    end("transactions", 0, false) &&
			    end("compacted-transactions", 0, true) ==
			    end("compacted-transactions", 0, false))
				return;
			Thread.sleep(100);
		}
		throw new IllegalStateException("transactions do not end");
	}

	private long end(String topic, int partition, boolean stable)
	    throws Exception {
		TopicPartition at = new TopicPartition(topic, partition);

		return admin.listOffsets(Map.of(at, OffsetSpec.latest()),
		    new ListOffsetsOptions(stable ?
			IsolationLevel.READ_COMMITTED :
			IsolationLevel.READ_UNCOMMITTED)).partitionResult(at)
		    .get().offset();
	}

	private String kill(long pid, String batches) throws Exception {
		ProcessHandle broker = ProcessHandle.of(pid).get();

		load = new Load(bootstrap, acks, committed, batches, step,
		    random.nextLong());
		load.start(new Served(bootstrap, admin).transactions());
		while (acks.count() < 2000)
			Thread.sleep(20);
		Thread.sleep(random.nextInt(1500));
		load.kill(broker);
		broker.onExit().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
		return "killed after " + acks.count() + " records";
	}
}
