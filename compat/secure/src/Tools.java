import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in one process, since
 * most of the time of a tool is its start. A line of standard input is a name,
 * a class and its arguments, with tabs between them. What the tool printed
 * goes to NAME.out, its exit code to NAME.code; NAME.in, where there is one, is
 * its standard input.
 */
public class Tools {
	/** Thrown where a tool would end the process; some catch it. */
	static class Ended extends Error {
	}

	/** What keeps the stream of one tool may write to that of the next. */
	static class Switch extends OutputStream {
		OutputStream to = OutputStream.nullOutputStream();

		@Override
		public synchronized void write(int octet) throws IOException {
			to.write(octet);
		}

		@Override
		public synchronized void write(byte[] from, int at, int length)
				throws IOException {
			to.write(from, at, length);
		}

		synchronized void turn(OutputStream next) throws IOException {
			to.close();
			to = next;
		}
	}

	static final Switch OUT = new Switch();
	static final List<Runnable> HOOKS = new ArrayList<>();
	/** With what a tool would have ended the process first. */
	static Integer first;

	static int main(String type, String[] arguments) throws Exception {
		first = null;
		try {
			Class.forName(type).getMethod("main", String[].class)
					.invoke(null, (Object) arguments);
		} catch (InvocationTargetException e) {
			if (!(e.getCause() instanceof Ended)) {
				e.getCause().printStackTrace();
				return 1;
			}
		}
		return first == null ? 0 : first;
	}

	static void tool(String[] words) throws Exception {
		File input = new File(words[0] + ".in");
		OUT.turn(new FileOutputStream(words[0] + ".out"));
		System.setIn(new ByteArrayInputStream(input.exists()
				? Files.readAllBytes(input.toPath()) : new byte[0]));
		int code = main(words[1],
				Arrays.copyOfRange(words, 2, words.length));
		for (Runnable hook : HOOKS)
			hook.run();
		HOOKS.clear();
		OUT.turn(OutputStream.nullOutputStream());
		Files.writeString(Path.of(words[0] + ".code"), code + "\n");
	}

	static void ended(int code, String message) {
		if (message != null)
			System.err.println(message);
		if (first == null)
			first = code;
		throw new Ended();
	}

	public static void main(String[] none) throws Exception {
		String[] lines = new String(System.in.readAllBytes()).split("\n");
		System.setOut(new PrintStream(OUT, true));
		System.setErr(new PrintStream(OUT, true));
		Exit.setExitProcedure(Tools::ended);
		Exit.setHaltProcedure(Tools::ended);
		Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
		for (String line : lines)
			tool(line.split("\t"));
		Runtime.getRuntime().halt(0);
	}
}
