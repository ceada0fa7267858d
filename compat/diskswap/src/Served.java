import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FinalizedVersionRange;

/**
 * Which APIs a broker serves, asked of itself, so that whatever klamm learns
 * to serve is compared from then on.
 */
final class Served {
	private final Set<Integer> keys = new HashSet<>();
	private final Map<String, FinalizedVersionRange> levels;

	Served(String bootstrap, Admin admin) throws Exception {
		String[] address = bootstrap.split(":");

		try (Socket socket = new Socket(address[0],
			Integer.parseInt(address[1]))) {
			ask(new DataOutputStream(socket.getOutputStream()));
			take(new DataInputStream(socket.getInputStream()));
		}
		levels = admin.describeFeatures().featureMetadata().get()
		    .finalizedFeatures();
	}

	/** ApiVersions 0, correlation 0, no client id. */
	private void ask(DataOutputStream out) throws IOException {
		out.writeInt(10);
		out.writeShort(18);
		out.writeShort(0);
		out.writeInt(0);
		out.writeShort(-1);
		out.flush();
	}

	private void take(DataInputStream in) throws IOException {
		in.readInt();
		in.readInt();
		if (in.readShort() != 0)
			throw new IOException("ApiVersions failed");
		for (int count = in.readInt(); count > 0; count--) {
			keys.add((int)in.readShort());
			in.readInt();
		}
	}

	boolean features() {
		return keys.contains(57);
	}

	boolean transactions() {
		return keys.contains(26);
	}

	boolean acls() {
		return keys.contains(29);
	}

	boolean scram() {
		return keys.contains(50);
	}

	boolean quotas() {
		return keys.contains(48);
	}

	boolean modernGroups() {
		return keys.contains(68) &&
	    levels.containsKey("group.version");
	}

	boolean shareGroups() {
		return keys.contains(76) &&
	    levels.containsKey("share.version");
	}

	boolean groupConfigs() {
		return keys.contains(74);
	}
}
