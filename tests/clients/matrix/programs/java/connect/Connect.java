import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Kafka Connect's distributed workers, with connectors for files and between clusters. */
public class Connect extends Checks {
  static final ObjectMapper JSON = new ObjectMapper();
  static final HttpClient HTTP = HttpClient.newHttpClient();
  static final String TOPIC = RUN + "-lines";
  static final List<Worker> WORKERS = new ArrayList<>();
  static Path folder;

  /** A worker in a JVM of its own. */
  static class Worker {
    final Process process;
    final String url;

    Worker() throws Exception {
      int port;
      try (var socket = new ServerSocket(0)) {
        port = socket.getLocalPort();
      }
      url = "http://127.0.0.1:" + port;
      Map<String, Object> settings = new TreeMap<>(KafkaSettings.plain());
      settings.put("group.id", RUN + "-connect");
      for (String store : List.of("config", "offset", "status")) {
        settings.put(store + ".storage.topic", RUN + "-connect-" + store);
        settings.put(store + ".storage.replication.factor", 1);
      }
      settings.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
      settings.put("value.converter", "org.apache.kafka.connect.storage.StringConverter");
      settings.put("listeners", url);
      settings.put("offset.flush.interval.ms", 200);
      settings.put("exactly.once.source.support", "enabled");
      settings.put("scheduled.rebalance.max.delay.ms", 0);
      var lines = settings.entrySet().stream().map(one -> one.getKey() + "=" + one.getValue()).toList();
      Path file = Files.write(Files.createTempFile(folder, "worker", ".properties"), lines);
      process = new ProcessBuilder("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp",
          System.getProperty("java.class.path"), "org.apache.kafka.connect.cli.ConnectDistributed", file.toString())
          .redirectErrorStream(true).redirectOutput(folder.resolve("worker-" + port + ".log").toFile()).start();
      until("the worker's HTTP interface", () -> {
        if (!process.isAlive()) throw new AssertionError("the worker ended with " + process.exitValue());
        try {
          return call("GET", "/connectors", null).isArray();
        } catch (java.io.IOException | AssertionError notYet) {
          return false;
        }
      });
    }

    JsonNode call(String method, String path, String body) throws Exception {
      var publisher = body == null
          ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
      var request = HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/json")
          .timeout(Duration.ofSeconds(30)).method(method, publisher).build();
      var answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
      if (answer.statusCode() / 100 != 2) throw new AssertionError(answer.statusCode() + " " + answer.body());
      return answer.body().isEmpty() ? JSON.nullNode() : JSON.readTree(answer.body());
    }

    void put(String name, Object... pairs) throws Exception {
      var config = new TreeMap<String, Object>();
      for (int at = 0; at < pairs.length; at += 2) config.put((String) pairs[at], pairs[at + 1]);
      call("PUT", "/connectors/" + name + "/config", JSON.writeValueAsString(config));
      until(name + " runs", () -> state(name).equals("RUNNING RUNNING"));
    }

    /** Of the connector and of its tasks. */
    String state(String name) throws Exception {
      JsonNode status;
      try {
        status = call("GET", "/connectors/" + name + "/status", null);
      } catch (AssertionError none) {
        return "";
      }
      var states = new StringBuilder(status.at("/connector/state").asText());
      for (var task : status.get("tasks")) {
        states.append(' ').append(task.get("state").asText());
        if (task.has("trace")) throw new AssertionError(task.get("trace").asText());
      }
      return states.toString();
    }
  }

  static Worker worker() throws Exception {
    if (WORKERS.isEmpty()) WORKERS.add(new Worker());
    return WORKERS.get(0);
  }

  static void write(int from, int end) throws Exception {
    var lines = IntStream.range(from, end).mapToObj(number -> "line " + number).toList();
    Files.write(folder.resolve("in"), lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  /** All lines come out, in order; each once, where nothing was cut off. */
  static void arrive(int end, boolean once) throws Exception {
    var wanted = IntStream.range(0, end).mapToObj(number -> "line " + number).toList();
    Path out = folder.resolve("out");
    until(end + " lines", () -> {
      if (!Files.exists(out)) return false;
      var found = Files.readAllLines(out);
      return (once ? found : found.stream().distinct().toList()).equals(wanted);
    });
  }

  static void files() throws Exception {
    try (var admin = Admin.create(KafkaSettings.plain())) {
      admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
    }
    write(0, 100);
    worker().put("in", "connector.class", "FileStreamSource", "file", "" + folder.resolve("in"), "topic", TOPIC,
        "tasks.max", 1, "exactly.once.support", "requested");
    worker().put("out", "connector.class", "FileStreamSink", "file", "" + folder.resolve("out"), "topics", TOPIC, "tasks.max", 1);
    arrive(100, true);
    write(100, 200);
    arrive(200, true);
  }

  static void offsets() throws Exception {
    until("the source's place", () -> place("in", "position") > 0);
    until("the sink's place", () -> place("out", "kafka_offset") > 0);
    worker().call("PUT", "/connectors/out/stop", null);
    until("it has stopped", () -> worker().state("out").equals("STOPPED"));
    Files.delete(folder.resolve("out"));
    worker().call("DELETE", "/connectors/out/offsets", null);
    worker().call("PUT", "/connectors/out/resume", null);
    arrive(200, true);
    worker().call("PUT", "/connectors/out/pause", null);
    until("it pauses", () -> worker().state("out").equals("PAUSED PAUSED"));
    worker().call("PUT", "/connectors/out/resume", null);
    worker().call("POST", "/connectors/out/restart?includeTasks=true", null);
    until("it runs again", () -> worker().state("out").equals("RUNNING RUNNING"));
    worker().call("POST", "/connectors/in/tasks/0/restart", null);
    until("its task runs again", () -> worker().state("in").equals("RUNNING RUNNING"));
    write(200, 210);
    arrive(210, true);
  }

  /** The only worker ends in order; the next one finds what to do, and where, in its topics. */
  static void again() throws Exception {
    until("all places are kept", Connect::isKept);
    var first = WORKERS.remove(0);
    first.process.destroy();
    first.process.waitFor();
    write(210, 230);
    until("both run", () -> worker().state("in").equals("RUNNING RUNNING")
        && worker().state("out").equals("RUNNING RUNNING"));
    arrive(230, true);
    until("what came since is kept", Connect::isKept);
  }

  /** The source has read all of its file, and the sink all of the topic. */
  static boolean isKept() throws Exception {
    var partition = new TopicPartition(TOPIC, 0);
    try (var admin = Admin.create(KafkaSettings.plain())) {
      long end = admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get().offset();
      // The last offset is the end of a transaction, which no sink is given.
      return place("in", "position") == Files.size(folder.resolve("in")) && place("out", "kafka_offset") >= end - 1;
    }
  }

  static long place(String name, String field) throws Exception {
    return worker().call("GET", "/connectors/" + name + "/offsets", null).at("/offsets/0/offset/" + field).asLong();
  }

  static void rebalance() throws Exception {
    var second = new Worker();
    WORKERS.add(second);
    until("one each", () -> Stream.of("in", "out").flatMap(name -> {
      try {
        return Stream.of(worker().call("GET", "/connectors/" + name + "/status", null).at("/tasks/0/worker_id").asText());
      } catch (Exception error) {
        throw new AssertionError(error);
      }
    }).distinct().count() == 2);
    second.process.destroy();
    second.process.waitFor();
    until("all where the first is", () -> worker().state("in").equals("RUNNING RUNNING")
        && worker().state("out").equals("RUNNING RUNNING"));
    write(230, 250);
    arrive(250, false);
  }

  static void survive(String what, int from) throws Exception {
    happen(what);
    write(from, from + 50);
    arrive(from + 50, false);
  }

  static void mirror() throws Exception {
    String servers = env("KAFKA_BOOTSTRAP_SERVERS");
    worker().put("mirror", "connector.class", "org.apache.kafka.connect.mirror.MirrorSourceConnector", "tasks.max", 1,
        "source.cluster.alias", "east", "target.cluster.alias", "west", "source.cluster.bootstrap.servers", servers,
        "target.cluster.bootstrap.servers", servers, "topics", TOPIC, "replication.factor", 1,
        "sync.topic.acls.enabled", false, "offset-syncs.topic.replication.factor", 1);
    try (var reader = new KafkaConsumer<>(KafkaSettings.plain(), new StringDeserializer(), new StringDeserializer())) {
      var place = new TopicPartition("east." + TOPIC, 0);
      reader.assign(List.of(place));
      reader.seekToBeginning(List.of(place));
      var found = new ArrayList<String>();
      until("the mirrored lines", () -> {
        reader.poll(Duration.ofMillis(100)).forEach(one -> found.add(one.value()));
        return found.size() >= 200;
      });
    }
  }

  static void end() throws Exception {
    for (String name : List.of("in", "out", "mirror")) worker().call("DELETE", "/connectors/" + name, null);
    try (var admin = Admin.create(KafkaSettings.plain())) {
      String group = "connect-out";
      until("its group is empty",
          () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().isEmpty());
      var config = new ConfigResource(ConfigResource.Type.TOPIC, RUN + "-connect-config");
      equal(admin.describeConfigs(List.of(config)).all().get().get(config).get("cleanup.policy").value(), "compact");
    }
  }

  public static void main(String[] arguments) throws Exception {
    folder = Files.createTempDirectory("connect");
    Runtime.getRuntime().addShutdownHook(new Thread(() -> WORKERS.forEach(one -> one.process.destroyForcibly())));
    new Checks()
        .add("files", Connect::files)
        .add("offsets", Connect::offsets)
        .add("start again", Connect::again)
        .add("rebalance", Connect::rebalance)
        .add("kill", () -> survive("kill", 250))
        .add("restart", () -> survive("restart", 300))
        .add("MirrorMaker", Connect::mirror)
        .add("delete", Connect::end)
        .last(() -> WORKERS.forEach(one -> one.process.destroyForcibly()))
        .main("Kafka Connect", org.apache.kafka.connect.cli.ConnectDistributed.class);
  }
}
