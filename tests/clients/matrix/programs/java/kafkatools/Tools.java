import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.clients.admin.Admin;

/** Kafka's command line tools (its bin folder), each run in this JVM and named as its script is. */
public class Tools extends Checks {
  static final String SERVERS = env("KAFKA_BOOTSTRAP_SERVERS");
  static final String TOPIC = RUN + "-tools";
  static final String GROUP = RUN + "-tools";

  static Ran ran(String name, String input, String... words) throws Exception {
    return Ran.of(120, "org.apache.kafka.tools." + name, input, words);
  }

  /** The output of a tool that must succeed, asked at the broker. */
  static String tool(String name, String... words) throws Exception {
    return fed(name, "", words);
  }

  static String fed(String name, String input, String... words) throws Exception {
    var all = new ArrayList<>(List.of(words));
    all.addAll(List.of("--bootstrap-server", SERVERS));
    return succeeded(name, ran(name, input, all.toArray(String[]::new)));
  }

  /** The output of a tool that hangs on to its JVM's end, so that it gets one of its own. */
  static String forked(String name, String line) throws Exception {
    var command = new ArrayList<>(List.of("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp",
        System.getProperty("java.class.path"), "org.apache.kafka.tools." + name));
    command.addAll(List.of(words(line)));
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    return succeeded(name, new Ran(process.waitFor(), output));
  }

  static String succeeded(String name, Ran done) {
    if (done.status() != 0) throw new AssertionError(name + ": " + done.output().strip());
    return done.output();
  }

  static void has(String output, String... texts) {
    for (String text : texts) {
      if (!output.contains(text)) throw new AssertionError("no " + text + " in: " + output.strip());
    }
  }

  static String file(String name, String content) throws Exception {
    Path path = Files.createTempFile(name, ".txt");
    path.toFile().deleteOnExit();
    return Files.writeString(path, content).toString();
  }

  static String[] words(String line) {
    return line.strip().split(" +");
  }

  static String[] joined(String line, String... more) {
    var all = new ArrayList<>(Arrays.asList(words(line)));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  static void topics() throws Exception {
    tool("TopicCommand", "--create", "--topic", TOPIC, "--partitions", "2", "--config", "retention.ms=600000");
    tool("TopicCommand", "--alter", "--topic", TOPIC, "--partitions", "3");
    has(tool("TopicCommand", "--describe", "--topic", TOPIC), "PartitionCount: 3", "retention.ms=600000");
    equal(tool("TopicCommand", "--describe", "--unavailable-partitions"), "");
    tool("TopicCommand", "--create", "--topic", TOPIC + "-gone");
    has(tool("TopicCommand", "--list"), TOPIC + "-gone");
    tool("TopicCommand", "--delete", "--topic", TOPIC + "-gone");
    var again = ran("TopicCommand", "", "--create", "--topic", TOPIC, "--bootstrap-server", SERVERS);
    equal(again.status(), 1);
    has(again.output(), "Topic '" + TOPIC + "' already exists.");
  }

  static void configs() throws Exception {
    String[][] changes = {
      {"topics", TOPIC, "max.message.bytes=100000"},
      {"brokers", "1", "log.cleaner.threads=2"},
      {"groups", GROUP, "consumer.session.timeout.ms=50000"},
      {"clients", RUN, "consumer_byte_rate=104857600"},
      {"client-metrics", RUN, "interval.ms=60000"},
      {"users", RUN, "SCRAM-SHA-256=[iterations=4096,password=secret]"},
    };
    for (var change : changes) {
      String[] entity = {"--entity-type", change[0], "--entity-name", change[1]};
      String key = change[2].split("=")[0];
      tool("ConfigCommand", joined("--alter --add-config " + change[2], entity));
      has(tool("ConfigCommand", joined("--describe", entity)), key + "=");
      tool("ConfigCommand", joined("--alter --delete-config " + key, entity));
    }
    has(tool("ConfigCommand", words("--describe --all --entity-type brokers --entity-name 1")), "log.retention.ms=");
    has(tool("ConfigCommand", words("--describe --entity-type broker-loggers --entity-name 1")), "=");
  }

  static void producer() throws Exception {
    String[] keyed = words("--reader-property parse.key=true --reader-property key.separator=:");
    fed("ConsoleProducer", "a:1\nb:2\nc:3\n", joined("--topic " + TOPIC, keyed));
  }

  static void consumer() throws Exception {
    String read = "--topic " + TOPIC + " --from-beginning --max-messages 3 --timeout-ms 30000";
    String found = tool("consumer.ConsoleConsumer",
        joined(read + " --formatter-property print.key=true --group " + GROUP));
    has(found, "a\t1", "b\t2", "c\t3", "Processed a total of 3 messages");
  }

  static void groups() throws Exception {
    has(tool("GroupsCommand", "--list"), GROUP);
    has(tool("GroupsCommand", "--list", "--consumer"), GROUP);
    String name = "consumer.group.ConsumerGroupCommand", which = " --group " + GROUP;
    has(tool(name, "--list", "--state"), GROUP, "Empty");
    has(tool(name, words("--describe" + which)), TOPIC, "CURRENT-OFFSET");
    has(tool(name, words("--describe --state" + which)), "Empty");
    has(tool(name, words("--describe --members" + which)), "has no active members");
    String reset = "--reset-offsets --topic " + TOPIC + which;
    for (String to : List.of("--to-earliest", "--to-latest", "--shift-by -1", "--to-datetime 2020-01-01T00:00:00.000",
        "--by-duration PT1H", "--to-current", "--to-offset 0")) {
      has(tool(name, words(reset + " --dry-run " + to)), "NEW-OFFSET");
    }
    tool(name, words(reset + " --execute --to-earliest"));
    String csv = tool(name, words(reset + " --export --dry-run --to-current"));
    tool(name, words("--reset-offsets --execute --from-file " + file("offsets", csv) + which));
    has(tool(name, words("--delete-offsets --topic " + TOPIC + ":0" + which)), "Successful");
    has(tool(name, words("--delete" + which)), "was successful");
  }

  static void logs() throws Exception {
    has(tool("GetOffsetShell", "--topic", TOPIC), TOPIC + ":0:");
    for (String time : List.of("earliest", "latest", "max-timestamp", "earliest-local", "latest-tiered")) {
      tool("GetOffsetShell", "--topic", TOPIC, "--time", time);
    }
    has(tool("LogDirsCommand", "--describe", "--topic-list", TOPIC), "\"partition\":\"" + TOPIC + "-0\"");
    String json = "{\"version\":1,\"partitions\":[{\"topic\":\"" + TOPIC + "\",\"partition\":0,\"offset\":-1}]}";
    has(tool("DeleteRecordsCommand", "--offset-json-file", file("delete", json)), "low_watermark");
  }

  static void cluster() throws Exception {
    has(tool("BrokerApiVersionsCommand"), "Produce(0)", "ApiVersions(18)");
    has(succeeded("cluster-id", ran("ClusterTool", "", words("cluster-id --bootstrap-server " + SERVERS))), "Cluster ID");
    has(succeeded("endpoints", ran("ClusterTool", "", words("list-endpoints --bootstrap-server " + SERVERS))), "broker");
    has(succeeded("versions", ran("ClusterTool", "", words("api-versions --bootstrap-server " + SERVERS))), "Produce(0)");
    has(succeeded("features", ran("FeatureCommand", "", words("--bootstrap-server " + SERVERS + " describe"))),
        "metadata.version", "FinalizedVersionLevel", "transaction.version");
    has(succeeded("status", ran("MetadataQuorumCommand", "", words("--bootstrap-server " + SERVERS + " describe --status"))),
        "ClusterId", "LeaderId");
    has(succeeded("replication",
        ran("MetadataQuorumCommand", "", words("--bootstrap-server " + SERVERS + " describe --replication"))), "Leader");
  }

  static void reassign() throws Exception {
    String name = "reassign.ReassignPartitionsCommand";
    String which = file("move", "{\"version\":1,\"topics\":[{\"topic\":\"" + TOPIC + "\"}]}");
    String shown = tool(name, "--generate", "--broker-list", "1", "--topics-to-move-json-file", which);
    String plan = file("plan", shown.substring(shown.lastIndexOf("{\"partitions\"") >= 0
        ? shown.lastIndexOf("{\"partitions\"") : shown.lastIndexOf("{\"version\"")));
    has(tool(name, "--execute", "--reassignment-json-file", plan), "Successfully started");
    has(tool(name, "--verify", "--reassignment-json-file", plan), "is completed");
    has(tool(name, "--list"), "No partition reassignments found");
    tool("LeaderElectionCommand", words("--election-type preferred --all-topic-partitions"));
  }

  static void transactions() throws Exception {
    String topic = TOPIC + "-copied", id = RUN + "-copier";
    tool("TopicCommand", "--create", "--topic", topic);
    tool("TopicCommand", "--create", "--topic", topic + "-from", "--partitions", "1");
    fed("ConsoleProducer", "1\n2\n3\n4\n5\n6\n7\n", "--topic", topic + "-from");
    forked("TransactionalMessageCopier", "--input-topic " + topic + "-from --input-partition 0 --output-topic "
        + topic + " --broker-list " + SERVERS + " --consumer-group " + id + " --transaction-size 3 --transactional-id " + id
        + " --use-group-metadata");
    tool("consumer.ConsoleConsumer", words("--topic " + topic + " --from-beginning --max-messages 7 --timeout-ms 30000"
        + " --command-property isolation.level=read_committed"));
    String name = "TransactionsCommand", at = "--bootstrap-server " + SERVERS + " ";
    has(succeeded(name, ran(name, "", words(at + "list"))), id, "CompleteCommit");
    has(succeeded(name, ran(name, "", words(at + "describe --transactional-id " + id))), "CompleteCommit");
    succeeded(name, ran(name, "", words(at + "describe-producers --topic " + topic + " --partition 0")));
    succeeded(name, ran(name, "", words(at + "find-hanging --broker-id 1")));
  }

  static void performance() throws Exception {
    String topic = TOPIC + "-speed";
    tool("TopicCommand", "--create", "--topic", topic, "--partitions", "2");
    String made = " --num-records 2000 --record-size 100 --throughput -1";
    has(tool("ProducerPerformance", words("--topic " + topic + made)), "2000 records sent");
    has(tool("ProducerPerformance",
        words("--topic " + topic + made + " --transactional-id " + topic + " --transaction-duration-ms 50")), "2000 records sent");
    has(tool("ConsumerPerformance", words("--topic " + topic + " --num-records 4000 --timeout 30000")), "4000");
    has(succeeded("latency", ran("EndToEndLatency", "", words("--bootstrap-server " + SERVERS + " --topic " + topic
        + "-echo --num-records 50 --producer-acks all --record-size 20"))), "Percentiles");
  }

  static void verifiable() throws Exception {
    String topic = TOPIC + "-verified";
    tool("TopicCommand", "--create", "--topic", topic);
    String where = "--topic " + topic + " --bootstrap-server " + SERVERS;
    has(forked("VerifiableProducer", where + " --max-messages 100"), "\"sent\":100", "\"acked\":100");
    for (String protocol : List.of("classic", "consumer")) {
      has(forked("VerifiableConsumer", where + " --max-messages 100 --group-id " + topic + "-" + protocol + " --group-protocol "
          + protocol), "partitions_assigned", "offsets_committed");
    }
    forked("ClientCompatibilityTest", "--topic " + topic + "-new --bootstrap-server " + SERVERS + " --offsets-for-times-supported true --cluster-id-supported true"
        + " --expect-record-too-large-exception false --num-cluster-nodes 1 --create-topics-supported true"
        + " --describe-acls-supported true --describe-configs-supported true --idempotent-producer-supported true");
    tool("TopicCommand", "--delete", "--topic", "newtopic");
  }

  static void metrics() throws Exception {
    String name = "ClientMetricsCommand", which = " --name " + RUN + "-lag";
    tool(name, words("--alter --metrics org.apache.kafka.consumer. --interval 10000" + which));
    has(tool(name, "--list"), RUN + "-lag");
    has(tool(name, words("--describe" + which)), "interval.ms=10000");
    tool(name, words("--delete" + which));
  }

  static void streams() throws Exception {
    has(ran("StreamsResetter", "", words("--bootstrap-server " + SERVERS + " --application-id " + RUN
        + "-app --input-topics " + TOPIC + " --force")).output(), "Reset-offsets for input topics");
    tool("streams.StreamsGroupCommand", "--list");
    tool("consumer.group.ShareGroupCommand", "--list");
  }

  static void security() throws Exception {
    var refused = ran("AclCommand", "", "--list", "--bootstrap-server", SERVERS);
    has(refused.output(), "No Authorizer is configured");
    var lines = new ArrayList<String>();
    KafkaSettings.login("PLAIN", "secret").forEach((key, value) -> lines.add(key + "=" + value));
    String settings = file("login", String.join("\n", lines));
    var token = ran("DelegationTokenCommand", "", "--create", "--max-life-time-period", "-1", "--command-config", settings,
        "--bootstrap-server", env("KAFKA_TLS_BOOTSTRAP_SERVERS"));
    has(token.output(), "Delegation Token feature is not enabled");
  }

  static void replicas() throws Exception {
    // It reports until it is ended.
    has(Ran.of(5, "org.apache.kafka.tools.ReplicaVerificationTool", "", words("--broker-list " + SERVERS
        + " --topics-include " + TOPIC + " --report-interval-ms 100")).output(), "max lag is 0");
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("topics", Tools::topics)
        .add("configs", Tools::configs)
        .add("console-producer", Tools::producer)
        .add("console-consumer", Tools::consumer)
        .add("consumer-groups, groups", Tools::groups)
        .add("get-offsets, log-dirs, delete-records", Tools::logs)
        .add("broker-api-versions, cluster, features, metadata-quorum", Tools::cluster)
        .add("reassign-partitions, leader-election", Tools::reassign)
        .add("transactions", Tools::transactions)
        .add("perf-test, e2e-latency", Tools::performance)
        .add("verifiable-producer, verifiable-consumer", Tools::verifiable)
        .add("client-metrics", Tools::metrics)
        .add("streams-application-reset", Tools::streams)
        .add("acls, delegation-tokens", Tools::security)
        .add("replica-verification", Tools::replicas)
        .add("share-groups", () -> { throw new Skip("share groups are left out"); })
        .add("dump-log, storage, metadata-shell", () -> { throw new Skip("they read a server's own files"); })
        .main("Kafka's tools", org.apache.kafka.tools.TopicCommand.class);
  }
}
