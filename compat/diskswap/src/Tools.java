import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.apache.kafka.common.utils.Exit;

/** Kafka's command line tools, run in this process. */
final class Tools {
	private static final Pattern COMPLAINT = Pattern.compile(
	    "isvalid: false|mismatch|invalid|exception|could not|out of order" +
	    "|corrupt|not found|failed", Pattern.CASE_INSENSITIVE);

	private static final class Ended extends Error {
		private static final long serialVersionUID = 0;

		Ended() {
			super(null, null, false, false);
		}
	}

	private interface Main {
		void run(String... arguments) throws Exception;
	}

	/** What a tool prints. */
	private static String run(Main main, String... arguments)
	    throws Exception {
		ByteArrayOutputStream text = new ByteArrayOutputStream();
		PrintStream out = System.out;
		List<Integer> codes = new ArrayList<>();

		System.setOut(new PrintStream(text, true));
		Exit.setExitProcedure((status, message) -> {
			codes.add(status);
			throw new Ended();
		});
		try {
			main.run(arguments);
		} catch (Ended ended) {
			/* Some catch that, and end again: the first counts. */
		} finally {
			System.setOut(out);
			Exit.resetExitProcedure();
		}
		if (!codes.isEmpty() && codes.get(0) != 0)
			throw new IOException(List.of(arguments) + ": " + text);
		return text.toString();
	}

	/** kafka-topics.sh and kafka-configs.sh say what the view has. */
	static void check(String bootstrap, View view) throws Exception {
		checkTopics(view, run(org.apache.kafka.tools.TopicCommand::main,
		    "--bootstrap-server", bootstrap, "--describe"));
		checkConfigs(view, run(kafka.admin.ConfigCommand::main,
		    "--bootstrap-server", bootstrap, "--describe",
		    "--entity-type", "topics"));
	}

	private static void checkTopics(View view, String text) {
		view.facts.tailMap("topic ", false).headMap("topic!").forEach(
		    (name, value) -> {
			String[] words = value.split(" ");
			String line = "Topic: " + name.split(" ")[1] +
			    "\tTopicId: " + words[0] + "\tPartitionCount: " +
			    words[2] + "\t";

			if (!text.contains(line))
				view.problem("kafka-topics.sh has no %s", line);
		});
	}

	private static void checkConfigs(View view, String text) {
		TreeMap<String, String> found = new TreeMap<>();
		String topic = null;

		for (String line : text.split("\n")) {
			Matcher name = Pattern.compile(
			    "Dynamic configs for topic (\\S+) are:")
			    .matcher(line);

			if (name.find())
				found.put(topic = name.group(1), "");
			else if (topic != null)
				found.merge(topic, line.trim().split(" ")[0],
				    (a, b) -> a + " " + b);
		}
		found.forEach((name, configs) -> {
			String sorted = Stream.of(configs.trim().split(" "))
			    .sorted().collect(Collectors.joining(" "));
			String has = view.facts.get("config TOPIC " + name);

			/* A group topic may have come since. */
			if (has != null && !sorted.equals(has))
				view.problem("kafka-configs.sh says of %s: %s," +
				    " not %s", name, sorted, has);
		});
	}

	/* --- Files -------------------------------------------------------- */

	private static String files(Path directory, String suffixes,
	    boolean metadata) throws IOException {
		try (Stream<Path> all = Files.walk(directory)) {
			return all.filter(p -> p.toString().matches(
			    ".*\\.(" + suffixes + ")"))
			    .filter(p -> p.toString().contains(
				"__cluster_metadata") == metadata)
			    .filter(p -> p.toFile().length() > 0)
			    .filter(p -> !p.toString().contains("-stray/"))
			    .map(Path::toString).sorted()
			    .collect(Collectors.joining(","));
		}
	}

	/**
	 * Kafka's cleaner names batches without records in a time index, and
	 * its tool then misses their timestamps.
	 */
	private static boolean emptyBatches(List<String> lines, int i) {
		if (!lines.get(i).matches("Found timestamp mismatch in :.*/" +
		    "compacted[^/]*/[0-9]+\\.timeindex"))
			return false;
		while (++i < lines.size() &&
		    lines.get(i).startsWith("  Index timestamp: "))
			if (!lines.get(i).endsWith(", log timestamp: -1"))
				return false;
		return true;
	}

	/**
	 * DumpLogSegments reads all files of a data directory, but those that
	 * were put aside: of them Kafka leaves indexes as long as it made them.
	 */
	static int dump(File directory) throws Exception {
		Path path = directory.toPath();
		String text = run(org.apache.kafka.tools.DumpLogSegments::main,
		    "--files", files(path, "log|index|timeindex|txnindex|" +
		    "snapshot", false), "--deep-iteration") +
		    run(org.apache.kafka.tools.DumpLogSegments::main,
			"--files", files(path, "log|checkpoint", true),
			"--cluster-metadata-decoder");
		List<String> lines = text.lines().collect(Collectors.toList());

		for (int i = 0; i < lines.size(); i++)
			if (COMPLAINT.matcher(lines.get(i)).find() &&
			    !emptyBatches(lines, i))
				throw new IOException("DumpLogSegments: " +
				    lines.get(i));
		return lines.size();
	}
}
