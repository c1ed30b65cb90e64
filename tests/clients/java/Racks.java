import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Consumers in racks a, b and c, whose assignor gives each the partition that is in its rack
 * (KIP-881), and again after a line of input has come: the racks of nodes were changed by then.
 */
public class Racks {
  static final String TOPIC = "racked";

  static KafkaConsumer<String, String> member(String rack, String assignor) {
    Map<String, Object> map = new HashMap<>();
    map.put("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
    map.put("group.id", "racks of " + assignor);
    map.put("client.id", "in " + rack);
    map.put("client.rack", rack);
    map.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
    map.put("heartbeat.interval.ms", 100);
    map.put("metadata.max.age.ms", 300);
    var made = new KafkaConsumer<String, String>(map, new StringDeserializer(), new StringDeserializer());
    made.subscribe(List.of(TOPIC));
    return made;
  }

  /** All of them go on until each has one partition, which is led in its rack. */
  static void settle(Admin admin, Map<String, KafkaConsumer<String, String>> members) throws Exception {
    long end = System.currentTimeMillis() + 100_000;
    List<String> found = List.of();
    while (System.currentTimeMillis() < end) {
      for (var member : members.values()) member.poll(Duration.ofMillis(20));
      var partitions = admin.describeTopics(List.of(TOPIC)).allTopicNames().get().get(TOPIC).partitions();
      found = new ArrayList<>();
      for (var one : members.entrySet())
        for (var part : one.getValue().assignment())
          found.add(one.getKey() + ":" + partitions.get(part.partition()).leader().rack());
      if (found.equals(List.of("a:a", "b:b", "c:c"))) return;
    }
    throw new AssertionError("not in their racks: " + found);
  }

  public static void main(String[] arguments) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in));
    try (var admin = Admin.create(Map.of("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS")))) {
      // Partition 0 is in rack c, 1 in a and 2 in b: who went by numbers alone would have others.
      admin.createTopics(List.of(new NewTopic(TOPIC, Map.of(0, List.of(3), 1, List.of(1), 2, List.of(2))))).all().get();
      for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
        var members = new java.util.TreeMap<String, KafkaConsumer<String, String>>();
        for (String rack : List.of("a", "b", "c")) members.put(rack, member(rack, assignor));
        settle(admin, members);
        System.out.println("settled");
        input.readLine();
        settle(admin, members);
        System.out.println("settled anew");
        input.readLine();
        members.values().forEach(KafkaConsumer::close);
      }
    }
    System.out.println("ok");
    Runtime.getRuntime().halt(0);
  }
}
