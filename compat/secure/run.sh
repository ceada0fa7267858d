#!/bin/bash
# Kafka's command line tools on secured listeners: who gets in, and what for.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/broker.sh"
LIMIT=120
CLASSES=$WORK/classes
STORES=$WORK/stores
NOW=$PWD
[ ! -f "$WORK/PLAINTEXT" ] || BOOTSTRAP=$(cat "$WORK/PLAINTEXT")

# --- before -----------------------------------------------------------------

# certificate NAME CA: a key and a certificate for it, by an authority
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/O=klamm/CN=$1"
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 30 \
		-CAcreateserial -out "$1.pem" \
		-extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1)
	cat "$1.key" "$1.pem" >"$1.store"
}

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 30
}

stores() {
	mkdir "$STORES"
	cd "$STORES"
	authority authority
	authority stranger
	certificate broker authority
	certificate alice authority
	certificate bob authority
	certificate mallory stranger
	openssl pkcs12 -export -in broker.pem -inkey broker.key -name broker \
		-out broker.p12 -passout pass:store-pw
	cd "$NOW"
}

# listeners: of the run, each in a file of its name for the tests
listeners() {
	local plain controller sasl ssl mtls sasl_ssl served
	read -r plain controller sasl ssl mtls sasl_ssl < <(free_ports 6)
	echo "127.0.0.1:$sasl" >"$WORK/SASL_PLAINTEXT"
	echo "127.0.0.1:$ssl" >"$WORK/SSL"
	echo "127.0.0.1:$mtls" >"$WORK/MTLS"
	echo "127.0.0.1:$sasl_ssl" >"$WORK/SASL_SSL"
	echo "127.0.0.1:$plain" >"$WORK/PLAINTEXT"
	served=$(cd "$WORK" && for name in PLAINTEXT SASL_PLAINTEXT SSL MTLS \
		SASL_SSL; do echo "$name://$(cat $name)"; done | paste -sd,)
	cat <<-END
	listeners=$served,CONTROLLER://127.0.0.1:$controller
	advertised.listeners=$served
	controller.quorum.bootstrap.servers=127.0.0.1:$controller
	ssl.keystore.type=PKCS12
	ssl.keystore.location=$STORES/broker.p12
	ssl.keystore.password=store-pw
	ssl.truststore.type=PEM
	ssl.truststore.location=$STORES/authority.pem
	END
}

prepare() {
	need javac default-jdk-headless
	need openssl openssl
	stores 2>"$WORK/logs/stores" || { cat "$WORK/logs/stores"; return 1; }
	listeners >"$WORK/more.properties"
	javac -d "$CLASSES" -cp "$(kafka_home)/libs/*" src/Tools.java
}

# --- tools ------------------------------------------------------------------

# step NAME CLASS ARGUMENTS: of a batch, with ./NAME.in for its input
step() {
	local IFS=$'\t'
	echo "$*" >>batch
}

# batch: do the steps, each leaves NAME.out and NAME.code
batch() {
	local options='-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1'
	CLASSPATH=$CLASSES KAFKA_OPTS=$options \
		"$(kafka_home)/bin/kafka-run-class.sh" Tools <batch
	rm batch
}

# acls NAME ARGUMENTS, and so on: steps by a client nobody asks who it is
acls() {
	step "$1" org.apache.kafka.tools.AclCommand \
		--bootstrap-server "$BOOTSTRAP" "${@:2}"
}
configs() {
	step "$1" kafka.admin.ConfigCommand \
		--bootstrap-server "$BOOTSTRAP" "${@:2}"
}
# scram NAME USER MECHANISM=[...]: a credential
scram() {
	configs "$1" --alter --entity-type users --entity-name "$2" \
		--add-config "$3"
}
topic() {
	step "topic-$1" org.apache.kafka.tools.TopicCommand \
		--bootstrap-server "$BOOTSTRAP" --create --topic "$1"
}

# produce NAME LISTENER TOPIC CLIENT: the line NAME, as ./CLIENT.properties says
produce() {
	echo "$1" >"$1.in"
	step "$1" org.apache.kafka.tools.ConsoleProducer \
		--bootstrap-server "$(cat "$WORK/$2")" --topic "$3" \
		--command-config "$4.properties" --sync --max-block-ms 20000
}

# consume NAME LISTENER TOPIC CLIENT GROUP [COUNT]: the first lines of a topic
consume() {
	step "$1" org.apache.kafka.tools.consumer.ConsoleConsumer \
		--bootstrap-server "$(cat "$WORK/$2")" --topic "$3" \
		--command-config "$4.properties" --group "$5" --from-beginning \
		--max-messages "${6:-1}" --timeout-ms 20000
}

# tokens NAME CLIENT ARGUMENTS: kafka-delegation-tokens on SASL_SSL
tokens() {
	step "$1" org.apache.kafka.tools.DelegationTokenCommand \
		--bootstrap-server "$(cat "$WORK/SASL_SSL")" \
		--command-config "$2.properties" "${@:3}"
}

# token NAME: identifier and HMAC that a step printed
token() {
	awk '$3 ~ /^User:/ { print $1, $2 }' "$1.out"
}

# client NAME PROTOCOL [LINE...]: write the client.properties of a client
client() {
	printf '%s\n' "security.protocol=$2" "${@:3}" >"$1.properties"
	case $2 in
	*SSL)
		cat >>"$1.properties" <<-END
		ssl.truststore.type=PEM
		ssl.truststore.location=$STORES/authority.pem
		END
		;;
	esac
}

# login NAME PROTOCOL MECHANISM USER PASSWORD [OPTIONS]: the same with SASL
login() {
	local module=scram.ScramLoginModule
	[ "$3" != PLAIN ] || module=plain.PlainLoginModule
	client "$1" "$2" "sasl.mechanism=$3" \
		"sasl.jaas.config=org.apache.kafka.common.security.$module \
required username=\"$4\" password=\"$5\"${6:+ $6};"
}

# done_well NAME...: these steps ended with 0 and without a complaint
done_well() {
	local name
	for name; do
		[ "$(cat "$name.code")" = 0 ] ||
			{ cat "$name.out"; fail "$name failed"; }
		! grep -E 'ERROR|Exception' "$name.out" || fail "$name complained"
	done
}

# failed NAME PATTERN: a step ended with an error, and said so
failed() {
	has "$1" "$2" "$1.out"
	[ "$(cat "$1.code")" != 0 ] || fail "$1 ended well"
}

# lacks NAME PATTERN: a step did not say so
lacks() {
	! grep -E -- "$2" "$1.out" || fail "$1: /$2/"
}

INVALID='SaslAuthenticationException: .*Authentication failed during authentication due to invalid credentials with SASL mechanism'

# --- tests ------------------------------------------------------------------

test_scram() {
	local kind
	topic scram
	scram user sam SCRAM-SHA-512=[password=sam-pw]
	scram user-256 sam SCRAM-SHA-256=[iterations=8192,password=sam-pw]
	scram half half SCRAM-SHA-256=[password=half-pw]
	acls allow --add --allow-principal User:sam --producer --consumer \
		--topic scram --group scram
	for kind in 256 512; do
		login s$kind SASL_SSL SCRAM-SHA-$kind sam sam-pw
		login bad$kind SASL_SSL SCRAM-SHA-$kind sam nonsense
		login p$kind SASL_PLAINTEXT SCRAM-SHA-$kind sam sam-pw
		produce line-$kind SASL_SSL scram s$kind
		produce refused-$kind SASL_SSL scram bad$kind
		produce plain-$kind SASL_PLAINTEXT scram p$kind
	done
	login nobody SASL_SSL SCRAM-SHA-512 nobody sam-pw
	login half SASL_SSL SCRAM-SHA-512 half half-pw
	produce unknown SASL_SSL scram nobody
	produce half-user SASL_SSL scram half
	consume read SASL_SSL scram s512 scram 4
	consume read-refused SASL_SSL scram bad512 scram
	batch
	done_well topic-scram user user-256 half allow line-256 line-512 plain-256 \
		plain-512 read
	has created 'Completed updating config for user sam' user.out
	same lines 'line-256 line-512 plain-256 plain-512' \
		"$(grep -E '^(line|plain|refused)-' read.out | sort | paste -sd' ')"
	failed refused-256 "$INVALID SCRAM-SHA-256"
	failed refused-512 "$INVALID SCRAM-SHA-512"
	failed unknown "$INVALID SCRAM-SHA-512"
	failed half-user "$INVALID SCRAM-SHA-512"
	has read-refused "$INVALID SCRAM-SHA-512" read-refused.out
	lacks read-refused '^line'
}

test_plain() {
	topic plain
	acls allow --add --allow-principal User:paul --producer --consumer \
		--topic plain --group plain
	login paul SASL_PLAINTEXT PLAIN paul paul-pw
	login paul-tls SASL_SSL PLAIN paul paul-pw
	login wrong SASL_PLAINTEXT PLAIN paul nonsense
	login unknown SASL_PLAINTEXT PLAIN nobody paul-pw
	login elsewhere SASL_SSL PLAIN paula paula-pw
	login paula SASL_PLAINTEXT PLAIN paula paula-pw
	produce line-plain SASL_PLAINTEXT plain paul
	produce line-tls SASL_SSL plain paul-tls
	produce bad SASL_PLAINTEXT plain wrong
	produce bad-name SASL_PLAINTEXT plain unknown
	produce bad-listener SASL_SSL plain elsewhere
	produce no-right SASL_PLAINTEXT plain paula
	consume read SASL_PLAINTEXT plain paul plain 2
	consume no-group SASL_PLAINTEXT plain paul other
	batch
	done_well topic-plain allow line-plain line-tls read
	same lines 'line-plain line-tls' \
		"$(grep '^line-' read.out | sort | paste -sd' ')"
	local pattern='SaslAuthenticationException: Authentication failed: Invalid username or password'
	failed bad "$pattern"
	failed bad-name "$pattern"
	failed bad-listener "$pattern"
	failed no-right 'TopicAuthorizationException: Not authorized to access topics: \[plain\]'
	has no-group 'GroupAuthorizationException: Not authorized to access group: other' no-group.out
	lacks no-group '^line-'
}

# What TLS alone gives: a server to be trusted, and clients with a name.
test_tls() {
	local identity=ssl.keystore.type=PEM
	topic tls
	acls anyone --add --allow-principal User:ANONYMOUS --producer \
		--topic tls
	acls allow --add --allow-principal User:alice --producer --consumer \
		--topic tls --group tls
	client plain SSL
	client alice SSL $identity "ssl.keystore.location=$STORES/alice.store"
	client bob SSL $identity "ssl.keystore.location=$STORES/bob.store"
	client mallory SSL $identity \
		"ssl.keystore.location=$STORES/mallory.store"
	client stranger SSL
	echo "ssl.truststore.location=$STORES/stranger.pem" \
		>>stranger.properties
	client old SSL ssl.enabled.protocols=TLSv1.2 ssl.protocol=TLSv1.2
	produce line-plain SSL tls plain
	produce line-old SSL tls old
	produce line-alice MTLS tls alice
	produce distrusted SSL tls stranger
	produce no-name MTLS tls plain
	produce bad-name MTLS tls mallory
	produce no-right MTLS tls bob
	consume read MTLS tls alice tls 3
	batch
	done_well topic-tls anyone allow line-plain line-old line-alice read
	same lines 'line-alice line-old line-plain' \
		"$(grep '^line-' read.out | sort | paste -sd' ')"
	failed distrusted 'SslAuthenticationException: SSL handshake failed'
	failed no-name 'SslAuthenticationException: '
	failed bad-name 'SslAuthenticationException: '
	failed no-right 'TopicAuthorizationException: Not authorized to access topics: \[tls\]'
}

test_tokens() {
	local id hmac other
	topic tokens
	scram user tom SCRAM-SHA-256=[password=tom-pw]
	scram renewer rita SCRAM-SHA-256=[password=rita-pw]
	acls allow --add --allow-principal User:tom --producer --consumer \
		--topic tokens --group tokens
	login tom SASL_SSL SCRAM-SHA-256 tom tom-pw
	login rita SASL_SSL SCRAM-SHA-256 rita rita-pw
	client nobody PLAINTEXT
	tokens create tom --create --max-life-time-period 7200000 \
		--renewer-principal User:rita
	tokens other tom --create --max-life-time-period -1
	tokens mine tom --describe --owner-principal User:tom
	tokens hers rita --describe --owner-principal User:rita
	tokens not-hers rita --describe --owner-principal User:tom
	tokens bare tom --describe
	step anonymous org.apache.kafka.tools.DelegationTokenCommand \
		--bootstrap-server "$BOOTSTRAP" --create \
		--max-life-time-period -1 --command-config nobody.properties
	batch
	done_well topic-tokens user renewer allow create other mine hers \
		not-hers bare
	read -r id hmac < <(token create)
	read -r _ other < <(token other)
	[ -n "$hmac" ] && [ -n "$other" ] || fail 'no token'
	printf '%s\n' "$hmac" "$other" >"$WORK/hmacs"
	has owner "^$id +[^ ]+ +User:tom +User:tom +\[User:rita\]" create.out
	same both "$(printf '%s\n' "$hmac" "$other" | sort)" \
		"$(token mine | cut -d' ' -f2 | sort)"
	same hers "$id $hmac" "$(token hers)"
	same 'what she renews' "$id $hmac" "$(token not-hers)"
	has 'no owner' 'Total number of tokens : 0' bare.out
	failed anonymous 'DelegationTokenUnsupportedFeature|Delegation Token requests are not allowed'

	login by SASL_SSL SCRAM-SHA-256 "$id" "$hmac" tokenauth=true
	login by-512 SASL_SSL SCRAM-SHA-512 "$id" "$hmac" tokenauth=true
	login bad SASL_SSL SCRAM-SHA-256 "$id" nonsense tokenauth=true
	login no-token SASL_SSL SCRAM-SHA-256 "$id" "$hmac"
	produce line-256 SASL_SSL tokens by
	produce line-512 SASL_SSL tokens by-512
	consume read SASL_SSL tokens by tokens 2
	produce refused SASL_SSL tokens bad
	produce refused-user SASL_SSL tokens no-token
	tokens child by --create --max-life-time-period -1
	tokens renew rita --renew --renew-time-period 3600000 --hmac "$hmac"
	tokens renew-other rita --renew --renew-time-period -1 --hmac "$other"
	tokens renew-none tom --renew --renew-time-period -1 --hmac AAAA
	tokens expire tom --expire --expiry-time-period -1 --hmac "$hmac"
	tokens expired tom --describe --owner-principal User:tom
	tokens expire-again tom --expire --expiry-time-period -1 --hmac "$hmac"
	produce too-late SASL_SSL tokens by
	batch
	done_well line-256 line-512 read renew expire expired
	same lines 'line-256 line-512' \
		"$(grep '^line-' read.out | sort | paste -sd' ')"
	failed refused "$INVALID SCRAM-SHA-256"
	failed refused-user "$INVALID SCRAM-SHA-256"
	failed too-late "$INVALID SCRAM-SHA-256"
	failed child 'Delegation Token requests are not allowed'
	has renewed 'Completed renew operation. New expiry date' renew.out
	failed renew-other 'DelegationTokenOwnerMismatchException'
	failed renew-none 'DelegationTokenNotFoundException'
	failed expire-again 'DelegationTokenNotFoundException'
	same rest "$other" "$(token expired | cut -d' ' -f2)"
}

test_acls() {
	topic acls
	topic acls-other
	acls add --add --allow-principal User:anna --allow-principal User:otto \
		--operation Read --operation Describe --topic acls
	acls prefix --add --allow-principal User:anna --operation All \
		--topic acls- --resource-pattern-type prefixed
	acls deny --add --deny-principal User:otto --deny-host 192.0.2.1 \
		--operation Write --topic acls
	acls cluster --add --allow-principal User:anna --cluster \
		--operation Alter
	acls list --list --topic acls
	acls match --list --topic acls-other --resource-pattern-type match
	acls principal --list --principal User:otto
	acls remove --remove --force --allow-principal User:otto \
		--operation Read --topic acls
	acls after --list --principal User:otto
	acls remove-all --remove --force --topic acls
	acls none --list --topic acls
	acls wrong --add --allow-principal otto --operation Read --topic acls
	acls odd --add --allow-principal User:otto --operation Create --group x
	login paula SASL_PLAINTEXT PLAIN paula paula-pw
	step denied org.apache.kafka.tools.AclCommand --bootstrap-server \
		"$(cat "$WORK/SASL_PLAINTEXT")" --command-config \
		paula.properties --list
	batch
	done_well add prefix deny cluster list match principal remove after \
		remove-all none
	has list 'ResourcePattern\(resourceType=TOPIC, name=acls, patternType=LITERAL\)' list.out
	same rows 5 "$(grep -c '(principal=' list.out)"
	has anna '\(principal=User:anna, host=\*, operation=READ, permissionType=ALLOW\)' list.out
	has deny '\(principal=User:otto, host=192.0.2.1, operation=WRITE, permissionType=DENY\)' list.out
	has match 'name=acls-, patternType=PREFIXED' match.out
	has anything '\(principal=User:anna, host=\*, operation=ALL, permissionType=ALLOW\)' match.out
	lacks match otto
	lacks principal anna
	same otto 3 "$(grep -c '(principal=' principal.out)"
	same 'one less' 2 "$(grep -c '(principal=' after.out)"
	lacks none '\(principal='
	failed denied 'ClusterAuthorizationException'
	failed wrong 'format principalType:principalName but got otto'
	failed odd 'ResourceType GROUP only supports operations'
}

test_configs() {
	scram user conny SCRAM-SHA-512=[iterations=6000,password=conny-pw]
	scram user-256 conny SCRAM-SHA-256=[password=conny-pw]
	scram twice conny \
		SCRAM-SHA-512=[password=x],SCRAM-SHA-256=[password=x]
	configs shown --describe --entity-type users --entity-name conny
	configs less --alter --entity-type users --entity-name conny \
		--delete-config SCRAM-SHA-512
	configs shown-less --describe --entity-type users --entity-name conny
	configs less-again --alter --entity-type users --entity-name conny \
		--delete-config SCRAM-SHA-512
	scram weak conny SCRAM-SHA-256=[iterations=100,password=x]
	login conny SASL_SSL SCRAM-SHA-512 conny conny-pw
	produce gone SASL_SSL configs conny
	configs quota --alter --entity-type users --entity-name conny \
		--add-config producer_byte_rate=1000000,consumer_byte_rate=2000000
	configs both --alter --entity-type users --entity-name conny \
		--entity-type clients --entity-name app \
		--add-config request_percentage=50.5
	configs default --alter --entity-type users --entity-default \
		--add-config controller_mutation_rate=10
	configs ip --alter --entity-type ips --entity-name 192.0.2.7 \
		--add-config connection_creation_rate=20
	configs quotas --describe --entity-type users --entity-name conny
	configs boths --describe --entity-type users --entity-name conny \
		--entity-type clients --entity-name app
	configs defaults --describe --entity-type users --entity-default
	configs ips --describe --entity-type ips
	configs quota-less --alter --entity-type users --entity-name conny \
		--delete-config producer_byte_rate
	configs quotas-less --describe --entity-type users --entity-name conny
	configs odd --alter --entity-type users --entity-name conny \
		--add-config no_such_rate=1
	configs negative --alter --entity-type users --entity-name conny \
		--add-config producer_byte_rate=-1
	batch
	done_well user user-256 shown less shown-less quota both default ip quotas \
		boths defaults ips quota-less quotas-less
	has scram "SCRAM credential configs for user-principal 'conny' are " shown.out
	has 256 'SCRAM-SHA-256=iterations=4096' shown.out
	has 512 'SCRAM-SHA-512=iterations=6000' shown.out
	has less "'conny' are SCRAM-SHA-256=iterations=4096$" shown-less.out
	failed gone "$INVALID SCRAM-SHA-512"
	failed twice 'DuplicateResourceException: .*altered twice'
	failed less-again 'ResourceNotFoundException'
	failed weak 'Iterations 100 is less than the minimum 4096'
	has quotas "Quota configs for user-principal 'conny' are " quotas.out
	has producer 'producer_byte_rate=1000000.0' quotas.out
	has consumer 'consumer_byte_rate=2000000.0' quotas.out
	has both "user-principal 'conny', client-id 'app' are request_percentage=50.5" boths.out
	has default "Quota configs for the default user-principal are controller_mutation_rate=10.0" defaults.out
	has ip "Quota configs for ip '192.0.2.7' are connection_creation_rate=20.0" ips.out
	lacks quotas-less producer_byte_rate
	has kept consumer_byte_rate quotas-less.out
	failed odd 'Unexpected config names: Set.no_such_rate'
	failed negative 'InvalidRequestException: Quota producer_byte_rate must be greater than 0'
}

# --- after the broker has stopped -------------------------------------------

# The broker has told who was refused, and nobody's secret.
stopped_secrets() {
	local secret
	[ -f "$WORK/hmacs" ] || exit 77 # those who log in did not run
	has refused '[Ff]ailed authentication' "$WORK/broker.out"
	for secret in sam-pw half-pw paul-pw paula-pw tom-pw rita-pw conny-pw \
		store-pw nonsense a-secret-of-this-suite \
		$(cat "$WORK/hmacs"); do
		! grep -F -- "$secret" "$WORK/broker.out" ||
			fail 'a secret is in the log'
	done
}

main "$@"
