# Sourced: Apache Kafka from Maven Central, its tools and its broker.

KAFKA_VERSION=4.3.1
MAVEN_DEPENDENCY_PLUGIN=3.8.1
LOG4J_VERSION=2.25.4

# kafka_pom GROUP:ARTIFACT:VERSION[:CLASSIFIER]...
kafka_pom() {
	cat <<-END
	<project xmlns="http://maven.apache.org/POM/4.0.0">
	<modelVersion>4.0.0</modelVersion>
	<groupId>klamm</groupId><artifactId>compat</artifactId>
	<version>1</version><packaging>pom</packaging>
	<dependencies>
	END
	printf '%s\n' "$@" | awk -F: '{
		print "<dependency><groupId>" $1 "</groupId>"
		print "<artifactId>" $2 "</artifactId>"
		print "<version>" $3 "</version>"
		if ($4) print "<classifier>" $4 "</classifier>"
		print "</dependency>" }'
	echo '</dependencies></project>'
}

kafka_log4j() {
	cat <<-END
	status=error
	appender.console.type=Console
	appender.console.name=console
	appender.console.target=SYSTEM_ERR
	appender.console.layout.type=PatternLayout
	appender.console.layout.pattern=[%d] %p %m (%c)%n
	rootLogger.level=\${sys:loglevel:-WARN}
	rootLogger.appenderRef.console.ref=console
	END
}

# kafka_script DIRECTORY NAME CLASS: one of Kafka's command line programs
kafka_script() {
	cat >"$1/bin/$2" <<-END
	#!/bin/sh
	home=\$(cd "\$(dirname "\$0")/.." && pwd)
	exec java \${KAFKA_OPTS:--Xmx256m} -Xlog:disable \\
		-Dlog4j2.configurationFile="\$home/log4j2.properties" \\
		-cp "\${CLASSPATH:+\$CLASSPATH:}\$home/libs/*" $3 "\$@"
	END
	chmod +x "$1/bin/$2"
}

KAFKA_TOOLS=(
	org.apache.kafka:kafka_2.13:$KAFKA_VERSION
	org.apache.kafka:kafka-tools:$KAFKA_VERSION
	org.apache.logging.log4j:log4j-slf4j-impl:$LOG4J_VERSION
)

# kafka_assemble DIRECTORY ARTIFACT...: their jars, and scripts to run them
kafka_assemble() {
	local directory=$1
	shift
	need mvn maven
	need java default-jre-headless
	kafka_pom "$@" >"$directory/pom.xml"
	mvn -q -B -f "$directory/pom.xml" -DoutputDirectory="$directory/libs" \
		org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies
	kafka_log4j >"$directory/log4j2.properties"
	mkdir "$directory/bin"
	kafka_script "$directory" kafka-run-class.sh ''
	kafka_script "$directory" kafka-topics.sh \
		org.apache.kafka.tools.TopicCommand
	kafka_script "$directory" kafka-acls.sh \
		org.apache.kafka.tools.AclCommand
}

kafka_make() {
	kafka_assemble "$1" "${KAFKA_TOOLS[@]}"
}

# kafka_home: the directory with libs/ and bin/
kafka_home() {
	cached "kafka-$KAFKA_VERSION" kafka_make
}
