import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the clients of a session have in common. */
class Clients {
	static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
	private static Admin admin;

	/** Settings of a client, and those of a command line, as key=value. */
	static Map<String, Object> settings(List<String> more) {
		Map<String, Object> settings = new HashMap<>();
		settings.put("bootstrap.servers", BOOTSTRAP);
		settings.put("key.serializer", ByteArraySerializer.class);
		settings.put("value.serializer", ByteArraySerializer.class);
		settings.put("key.deserializer", ByteArrayDeserializer.class);
		settings.put("value.deserializer", ByteArrayDeserializer.class);
		settings.put("enable.metrics.push", "false");
		for (String line : more)
			settings.put(line.split("=", 2)[0], line.split("=", 2)[1]);
		return settings;
	}

	static synchronized Admin admin() {
		if (admin == null)
			admin = Admin.create(Map.of("bootstrap.servers", BOOTSTRAP));
		return admin;
	}

	/** From a word of a command line on. */
	static List<String> rest(String[] words, int from) {
		return Arrays.asList(words).subList(from, words.length);
	}

	/** What went wrong, as a client is told. */
	static String name(Throwable e) {
		while (e.getCause() != null && (e.getMessage() == null
				|| e instanceof java.util.concurrent.ExecutionException))
			e = e.getCause();
		return e.getClass().getSimpleName() + ": " + e.getMessage();
	}

	/** Wait until it is so, and say so where it never is. */
	static void await(String what, Callable<Boolean> so) throws Exception {
		long end = System.nanoTime() + Duration.ofSeconds(40).toNanos();
		while (!so.call()) {
			if (System.nanoTime() > end) {
				System.out.println("never: " + what);
				return;
			}
			Thread.sleep(20);
		}
	}
}
