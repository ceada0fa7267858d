import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.RequestUtils;
import org.apache.kafka.common.requests.ResponseHeader;

/**
 * Single frames, which no client would send so. A request is written as JSON;
 * what it leaves out at its top has its default. Each NAME is a connection.
 *
 * send NAME API VERSION JSON; receive NAME: the answer, as JSON;
 * call NAME API VERSION JSON: both. In a JSON, $NAME is the memberId of the
 * last answer that had one, and #TOPIC# a topic's id.
 */
public class Raw {
	private static final ObjectMapper MAPPER = new ObjectMapper();
	private static final Map<String, Raw> RAWS = new HashMap<>();
	private final Socket socket;
	private RequestHeader header;
	private String member;

	Raw() throws IOException {
		String[] address = Clients.BOOTSTRAP.split(":");
		socket = new Socket(address[0], Integer.parseInt(address[1]));
		socket.setTcpNoDelay(true);
	}

	static Class<?> converter(ApiMessage message) throws Exception {
		return Class.forName(message.getClass().getName()
				+ "JsonConverter");
	}

	static JsonNode json(ApiMessage message, short version)
			throws Exception {
		return (JsonNode) converter(message).getMethod("write",
				message.getClass(), short.class)
				.invoke(null, message, version);
	}

	static ApiMessage message(ApiKeys api, short version, String text)
			throws Exception {
		ApiMessage blank = api.messageType.newRequest();
		ObjectNode tree = (ObjectNode) json(blank, version);
		tree.setAll((ObjectNode) MAPPER.readTree(text));
		return (ApiMessage) converter(blank).getMethod("read",
				JsonNode.class, short.class)
				.invoke(null, tree, version);
	}

	void send(ApiKeys api, short version, ApiMessage request)
			throws IOException {
		header = new RequestHeader(api, version, "raw", 1);
		ByteBuffer frame = RequestUtils.serialize(header.data(),
				header.headerVersion(), request, version);
		DataOutputStream out =
				new DataOutputStream(socket.getOutputStream());
		byte[] bytes = new byte[4 + frame.remaining()];
		ByteBuffer.wrap(bytes).putInt(frame.remaining()).put(frame);
		out.write(bytes);
	}

	JsonNode receive() throws Exception {
		DataInputStream in = new DataInputStream(socket.getInputStream());
		byte[] frame = new byte[in.readInt()];
		in.readFully(frame);
		ByteBuffer bytes = ByteBuffer.wrap(frame);
		ResponseHeader.parse(bytes, header.apiKey()
				.responseHeaderVersion(header.apiVersion()));
		ApiMessage answer = header.apiKey().messageType.newResponse();
		answer.read(new ByteBufferAccessor(bytes), header.apiVersion());
		JsonNode tree = json(answer, header.apiVersion());
		if (tree.has("memberId") && !tree.get("memberId").isNull())
			member = tree.get("memberId").asText();
		if (tree.get("members") instanceof ArrayNode members)
			sort(members);
		return tree;
	}

	/** The broker tells of members in no order. */
	static void sort(ArrayNode members) {
		List<JsonNode> sorted = new ArrayList<>();
		members.forEach(sorted::add);
		sorted.sort(Comparator.comparing(
				m -> m.path("groupInstanceId").asText()));
		members.removeAll().addAll(sorted);
	}

	static String filled(String text) throws Exception {
		if (text.contains("#")) {
			String topic = text.split("#")[1];
			text = text.replace("#" + topic + "#", Clients.admin()
					.describeTopics(List.of(topic))
					.allTopicNames().get().get(topic)
					.topicId().toString());
		}
		for (Map.Entry<String, Raw> one : RAWS.entrySet())
			if (one.getValue().member != null)
				text = text.replace("$" + one.getKey(),
						one.getValue().member);
		return text;
	}

	public static void main(String[] words) throws Exception {
		if (!RAWS.containsKey(words[1]))
			RAWS.put(words[1], new Raw());
		Raw raw = RAWS.get(words[1]);
		if (!words[0].equals("receive")) {
			ApiKeys api = ApiKeys.valueOf(words[2]);
			short version = Short.parseShort(words[3]);
			raw.send(api, version,
					message(api, version, filled(words[4])));
		}
		if (!words[0].equals("send"))
			System.out.println(raw.receive());
	}
}
