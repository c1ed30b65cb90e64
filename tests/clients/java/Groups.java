import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Members of the consumer protocol (KIP-848): they share topic `orders`, which has 100 records. */
public class Groups {
  static final StringDeserializer TEXT = new StringDeserializer();

  static KafkaConsumer<String, String> member(String group, String name) {
    Map<String, Object> map = new HashMap<>();
    map.put("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
    map.put("group.id", group);
    map.put("group.protocol", "consumer");
    map.put("client.id", name);
    map.put("auto.offset.reset", "earliest");
    return new KafkaConsumer<>(map, TEXT, TEXT);
  }

  static KafkaConsumer<String, String> classic(String group, String name) {
    return new KafkaConsumer<>(Map.<String, Object>of(
        "bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"), "group.id", group,
        "client.id", name, "heartbeat.interval.ms", 100, "session.timeout.ms", 10_000), TEXT, TEXT);
  }

  /** All of them read until each has as many of the six partitions as the others. */
  static void share(List<KafkaConsumer<String, String>> members) {
    long end = System.currentTimeMillis() + 60_000;
    while (!members.stream().allMatch(m -> m.assignment().size() == 6 / members.size())) {
      check(System.currentTimeMillis() < end, "" + members.stream().map(m -> m.assignment()).toList());
      for (var member : members) member.poll(Duration.ofMillis(20));
    }
  }

  static void rolling(Admin admin) throws Exception {
    var old = classic("rolling", "old");
    old.subscribe(List.of("orders"));
    share(List.of(old));
    var one = member("rolling", "new");
    one.subscribe(List.of("orders"));
    share(List.of(old, one));
    var group = admin.describeConsumerGroups(List.of("rolling")).all().get().get("rolling");
    check(group.type() == GroupType.CONSUMER, "" + group.type());
    var upgraded = new HashSet<Object>();
    group.members().forEach(m -> upgraded.add(m.upgraded().get()));
    check(upgraded.equals(Set.of(true, false)), "" + group.members());
    old.close();
    share(List.of(one));
    old = classic("rolling", "old again");
    old.subscribe(List.of("orders"));
    share(List.of(old, one));
    one.close();
    share(List.of(old));
    group = admin.describeConsumerGroups(List.of("rolling")).all().get().get("rolling");
    check(group.type() == GroupType.CLASSIC, "" + group.type());
    old.close();
  }

  static void check(boolean fact, String what) {
    if (!fact) throw new AssertionError(what);
  }

  public static void main(String[] arguments) throws Exception {
    Set<String> seen = new HashSet<>();
    int count = 0;
    try (var one = member("java", "one"); var two = member("java", "two");
        var admin = Admin.create(Map.<String, Object>of(
            "bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS")))) {
      one.subscribe(List.of("orders"));
      two.subscribe(List.of("orders"));
      long end = System.currentTimeMillis() + 60_000;
      while (one.assignment().size() != 3 || two.assignment().size() != 3 || seen.size() < 100) {
        check(System.currentTimeMillis() < end, "not shared: " + one.assignment()
            + two.assignment() + seen.size());
        for (var consumer : List.of(one, two))
          for (var record : consumer.poll(Duration.ofMillis(50))) {
            seen.add(record.partition() + ":" + record.offset());
            count++;
          }
        one.commitSync();
        two.commitSync();
      }
      check(count == 100, "some came twice: " + count);
      var group = admin.describeConsumerGroups(List.of("java")).all().get().get("java");
      check(group.type() == GroupType.CONSUMER, "" + group.type());
      check(group.groupState() == GroupState.STABLE, "" + group.groupState());
      check(group.members().size() == 2, "" + group.members());
      check(group.members().stream().allMatch(m -> m.targetAssignment().isPresent()), "targets");
      rolling(admin);
    }
    try (var one = member("java-pattern", "pattern")) {
      one.subscribe(new SubscriptionPattern("ord.*"));
      long end = System.currentTimeMillis() + 60_000;
      while (one.assignment().size() != 6) {
        check(System.currentTimeMillis() < end, "pattern: " + one.assignment());
        one.poll(Duration.ofMillis(50));
      }
    }
    System.out.println("groups of the consumer protocol: ok");
  }
}
