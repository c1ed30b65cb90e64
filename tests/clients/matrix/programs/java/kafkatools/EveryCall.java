import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Every call of Admin, what it answers and how it refuses: checked against the list of its methods. */
public class EveryCall extends Checks {
  static final String TOPIC = RUN + "-admin";
  static final TopicPartition FIRST = new TopicPartition(TOPIC, 0);
  static final Set<String> CALLED = new TreeSet<>();
  static final Set<String> LEFT_OUT = new TreeSet<>(List.of(
      // Share and streams groups.
      "alterShareGroupOffsets", "deleteShareGroupOffsets", "deleteShareGroups", "describeShareGroups",
      "listShareGroupOffsets", "alterStreamsGroupOffsets", "deleteStreamsGroupOffsets", "deleteStreamsGroups",
      "describeStreamsGroups", "listStreamsGroupOffsets"));
  static Admin admin;

  /** Admin, whose methods are noted as they are called. */
  static Admin noting(Admin real) {
    return (Admin) java.lang.reflect.Proxy.newProxyInstance(Admin.class.getClassLoader(), new Class<?>[] {Admin.class},
        (proxy, method, arguments) -> {
          CALLED.add(method.getName());
          try {
            return method.isDefault()
                ? java.lang.reflect.InvocationHandler.invokeDefault(proxy, method, arguments)
                : method.invoke(real, arguments);
          } catch (java.lang.reflect.InvocationTargetException error) {
            throw error.getCause();
          }
        });
  }

  /** It is refused with an exception of this name, or of one of these. */
  static void refused(String name, Act act) throws Exception {
    refused(List.of(name), act);
  }

  static void refused(List<String> names, Act act) throws Exception {
    try {
      act.run();
    } catch (ExecutionException error) {
      String found = error.getCause().getClass().getSimpleName();
      if (names.contains(found)) return;
      throw new AssertionError(found + ", not " + names);
    }
    throw new AssertionError("not refused with " + names);
  }

  static void send(String topic, int count) throws Exception {
    try (var producer = new KafkaProducer<>(KafkaSettings.plain(), new StringSerializer(), new StringSerializer())) {
      for (int number = 0; number < count; number++) {
        producer.send(new ProducerRecord<>(topic, 0, "k", "" + number)).get();
      }
    }
  }

  static KafkaConsumer<String, String> member(String group, String protocol, Object... more) {
    var map = KafkaSettings.plain();
    map.put("group.id", group);
    map.put("group.protocol", protocol);
    map.put("auto.offset.reset", "earliest");
    for (int at = 0; at < more.length; at += 2) map.put((String) more[at], more[at + 1]);
    var made = new KafkaConsumer<>(map, new StringDeserializer(), new StringDeserializer());
    made.subscribe(List.of(TOPIC));
    return made;
  }

  static void topics() throws Exception {
    var created = admin.createTopics(List.of(new NewTopic(TOPIC, 2, (short) 1).configs(Map.of("retention.ms", "600000"))));
    created.all().get();
    equal(created.numPartitions(TOPIC).get(), 2);
    equal(created.replicationFactor(TOPIC).get(), 1);
    equal(created.config(TOPIC).get().get("retention.ms").value(), "600000");
    var id = created.topicId(TOPIC).get();
    refused("TopicExistsException", () -> admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get());
    refused("InvalidReplicationFactorException",
        () -> admin.createTopics(List.of(new NewTopic(TOPIC + "-3", 1, (short) 3))).all().get());
    admin.createTopics(List.of(new NewTopic(TOPIC + "-dry", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
    admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(3))).all().get();
    refused("InvalidPartitionsException",
        () -> admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(1))).all().get());
    // Apache Kafka answers before all of its parts know of a topic.
    var internal = new ListTopicsOptions().listInternal(true);
    until("the topic", () -> admin.listTopics(internal).names().get().contains(TOPIC));
    var names = admin.listTopics(internal).names().get();
    equal(names.contains(TOPIC + "-dry"), false);
    var ids = TopicCollection.ofTopicIds(List.of(id));
    equal(admin.describeTopics(ids).allTopicIds().get().get(id).partitions().size(), 3);
    equal(admin.describeTopics(List.of(TOPIC), new DescribeTopicsOptions().partitionSizeLimitPerResponse(2)
        .includeAuthorizedOperations(true)).allTopicNames().get().get(TOPIC).partitions().size(), 3);
    refused("UnknownTopicOrPartitionException", () -> admin.describeTopics(List.of(TOPIC + "-none")).allTopicNames().get());
    admin.createTopics(List.of(new NewTopic(TOPIC + "-gone", 1, (short) 1))).all().get();
    admin.deleteTopics(List.of(TOPIC + "-gone")).all().get();
    refused("UnknownTopicOrPartitionException", () -> admin.deleteTopics(List.of(TOPIC + "-gone")).all().get());
  }

  static void records() throws Exception {
    send(TOPIC, 5);
    equal(admin.listOffsets(Map.of(FIRST, OffsetSpec.latest())).partitionResult(FIRST).get().offset(), 5L);
    equal(admin.listOffsets(Map.of(FIRST, OffsetSpec.maxTimestamp())).all().get().get(FIRST).offset() >= 0, true);
    equal(admin.listOffsets(Map.of(FIRST, OffsetSpec.forTimestamp(1))).all().get().get(FIRST).offset(), 0L);
    equal(admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(FIRST).get().lowWatermark(), 2L);
    equal(admin.listOffsets(Map.of(FIRST, OffsetSpec.earliest())).partitionResult(FIRST).get().offset(), 2L);
    refused("OffsetOutOfRangeException", () -> admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(99))).all().get());
    var folders = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
    equal(folders.values().iterator().next().replicaInfos().containsKey(FIRST), true);
    var replica = new TopicPartitionReplica(TOPIC, 0, 1);
    String folder = admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir();
    admin.alterReplicaLogDirs(Map.of(replica, folder)).all().get();
    refused("LogDirNotFoundException", () -> admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all().get());
  }

  static void configs() throws Exception {
    var topic = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
    var node = new ConfigResource(ConfigResource.Type.BROKER, "1");
    var logger = new ConfigResource(ConfigResource.Type.BROKER_LOGGER, "1");
    var found = admin.describeConfigs(List.of(topic, node, logger),
        new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get();
    equal(found.get(topic).get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
    equal(found.get(topic).get("segment.bytes").documentation().isEmpty(), false);
    equal(found.get(node).get("log.retention.hours").isReadOnly(), true);
    equal(found.get(logger).entries().isEmpty(), false);
    for (var kind : AlterConfigOp.OpType.values()) {
      String key = kind == AlterConfigOp.OpType.APPEND || kind == AlterConfigOp.OpType.SUBTRACT ? "cleanup.policy" : "segment.ms";
      var change = new AlterConfigOp(new ConfigEntry(key, key.equals("segment.ms") ? "60000" : "compact"), kind);
      admin.incrementalAlterConfigs(Map.of(topic, List.of(change))).all().get();
    }
    var wrong = new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET);
    refused("InvalidConfigurationException", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(wrong))).all().get());
    var measured = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, RUN + "-lag");
    var interval = new AlterConfigOp(new ConfigEntry("interval.ms", "60000"), AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(measured, List.of(interval))).all().get();
    until("the topic's resource", () -> admin.listConfigResources().all().get().contains(topic));
    until("the subscription", () ->
        admin.listClientMetricsResources().all().get().stream().anyMatch(one -> one.name().equals(RUN + "-lag")));
    var gone = new AlterConfigOp(new ConfigEntry("interval.ms", ""), AlterConfigOp.OpType.DELETE);
    admin.incrementalAlterConfigs(Map.of(measured, List.of(gone))).all().get();
  }

  static void groups() throws Exception {
    for (String protocol : List.of("classic", "consumer")) {
      String group = RUN + "-" + protocol;
      var instance = protocol.equals("classic") ? new Object[] {"group.instance.id", "one"} : new Object[0];
      try (var reader = member(group, protocol, instance)) {
        until("records", () -> !reader.poll(Duration.ofMillis(50)).isEmpty());
        reader.commitSync();
        var shown = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        equal(shown.members().size(), 1);
        equal(shown.groupState(), GroupState.STABLE);
        equal(shown.type().toString().toLowerCase(), protocol);
        equal(admin.listGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group)), true);
        equal(admin.listConsumerGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group)), true);
        refused("GroupNotEmptyException", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        if (protocol.equals("classic")) {
          admin.describeClassicGroups(List.of(group)).all().get();
          var who = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")));
          admin.removeMembersFromConsumerGroup(group, who).all().get();
        }
      }
      equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata(group).get().get(FIRST).offset(), 5L);
      var spec = Map.of(group, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(FIRST)));
      equal(admin.listConsumerGroupOffsets(spec).all().get().get(group).size(), 1);
      until("nobody there", () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().isEmpty());
      admin.alterConsumerGroupOffsets(group, Map.of(FIRST, new OffsetAndMetadata(3, Optional.empty(), "moved"))).all().get();
      equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(FIRST).metadata(), "moved");
      admin.deleteConsumerGroupOffsets(group, Set.of(FIRST)).all().get();
      admin.deleteConsumerGroups(List.of(group)).all().get();
      refused("GroupIdNotFoundException", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }
  }

  static void transactions() throws Exception {
    var map = KafkaSettings.plain();
    map.put("transactional.id", RUN + "-tx");
    var producer = new KafkaProducer<>(map, new StringSerializer(), new StringSerializer());
    producer.initTransactions();
    producer.beginTransaction();
    producer.send(new ProducerRecord<>(TOPIC, 1, "k", "v")).get();
    var place = new TopicPartition(TOPIC, 1);
    var open = admin.describeTransactions(List.of(RUN + "-tx")).all().get().get(RUN + "-tx");
    equal(open.state(), TransactionState.ONGOING);
    equal(open.topicPartitions(), Set.of(place));
    equal(admin.listTransactions(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING)))
        .all().get().stream().anyMatch(one -> one.transactionalId().equals(RUN + "-tx")), true);
    var writer = admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers().get(0);
    equal(writer.currentTransactionStartOffset().isPresent(), true);
    admin.fenceProducers(List.of(RUN + "-tx")).all().get();
    try {
      producer.commitTransaction();
      throw new AssertionError("a fenced producer commits");
    } catch (org.apache.kafka.common.KafkaException wanted) {
      producer.close(Duration.ZERO);
    }
    admin.forceTerminateTransaction(RUN + "-tx").result().get();
    refused("TransactionalIdNotFoundException", () -> admin.describeTransactions(List.of(RUN + "-none")).all().get());
    var spec = new AbortTransactionSpec(place, writer.producerId(), (short) writer.producerEpoch(), 0);
    refused("InvalidProducerEpochException", () -> admin.abortTransaction(spec).all().get());
  }

  static void cluster() throws Exception {
    var found = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
    equal(found.nodes().get().size(), 1);
    equal(found.clusterId().get().isEmpty(), false);
    found.controller().get();
    equal(admin.describeMetadataQuorum().quorumInfo().get().leaderId(), 1);
    var features = admin.describeFeatures().featureMetadata().get();
    equal(features.finalizedFeatures().containsKey("metadata.version"), true);
    admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
        new UpdateFeaturesOptions().validateOnly(true)).all().get();
    refused("InvalidUpdateVersionException", () -> admin.updateFeatures(
        Map.of("metadata.version", new FeatureUpdate((short) 99, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all().get());
    refused("BrokerIdNotRegisteredException", () -> admin.unregisterBroker(77).all().get());
    var id = org.apache.kafka.common.Uuid.randomUuid();
    refused(List.of("VoterNotFoundException", "UnsupportedVersionException"), () -> admin.removeRaftVoter(77, id).all().get());
    refused(List.of("UnsupportedVersionException", "TimeoutException", "InvalidRequestException"), () -> admin.addRaftVoter(77, id,
        Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 1)), new AddRaftVoterOptions().timeoutMs(2000)).all().get());
    admin.electLeaders(ElectionType.PREFERRED, Set.of(FIRST)).partitions().get();
    admin.alterPartitionReassignments(Map.of(FIRST, Optional.of(new NewPartitionReassignment(List.of(1))))).all().get();
    refused("NoReassignmentInProgressException", () -> admin.alterPartitionReassignments(Map.of(FIRST, Optional.empty())).all().get());
    equal(admin.listPartitionReassignments().reassignments().get().containsKey(FIRST), false);
  }

  static void security() throws Exception {
    var binding = new AclBinding(new ResourcePattern(ResourceType.TOPIC, TOPIC, PatternType.LITERAL),
        new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
    refused("SecurityDisabledException", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
    refused("SecurityDisabledException", () -> admin.createAcls(List.of(binding)).all().get());
    refused("SecurityDisabledException", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get());
    var entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, RUN));
    var rate = new ClientQuotaAlteration.Op("producer_byte_rate", 104857600.0);
    admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(rate)))).all().get();
    var filter = ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.USER, RUN)));
    var given = Map.of("producer_byte_rate", 104857600.0);
    until("the quota", () -> given.equals(admin.describeClientQuotas(filter).entities().get().get(entity)));
    var none = new ClientQuotaAlteration.Op("producer_byte_rate", null);
    admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(none)))).all().get();
    var how = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
    admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(RUN, how, "secret"))).all().get();
    until("the credential", () -> {
      try {
        return admin.describeUserScramCredentials(List.of(RUN)).all().get().get(RUN).credentialInfos().equals(List.of(how));
      } catch (java.util.concurrent.ExecutionException notYet) {
        return false;
      }
    });
    admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(RUN, ScramMechanism.SCRAM_SHA_256))).all().get();
    refused("UnsupportedByAuthenticationException", () -> admin.createDelegationToken().delegationToken().get());
    try (var real = Admin.create(KafkaSettings.login("PLAIN", "secret"))) {
      var alice = noting(real);
      String disabled = "DelegationTokenDisabledException";
      refused(disabled, () -> alice.createDelegationToken().delegationToken().get());
      refused(disabled, () -> alice.renewDelegationToken(new byte[4]).expiryTimestamp().get());
      refused(disabled, () -> alice.expireDelegationToken(new byte[4]).expiryTimestamp().get());
      refused(disabled, () -> alice.describeDelegationToken().delegationTokens().get());
    }
  }

  /** No call is forgotten but those left out, and what is about this side alone. */
  static void every() {
    var missing = new ArrayList<String>();
    var local = Set.of("close", "create", "metrics", "clientInstanceId", "registerMetricForSubscription",
        "unregisterMetricFromSubscription", "unregisterController");
    for (var method : Admin.class.getMethods()) {
      String name = method.getName();
      boolean wanted = !local.contains(name) && !LEFT_OUT.contains(name) && !CALLED.contains(name);
      if (wanted && !missing.contains(name)) missing.add(name);
    }
    equal(missing, List.of());
  }

  public static void main(String[] arguments) throws Exception {
    admin = noting(Admin.create(KafkaSettings.plain()));
    new Checks()
        .add("topics", EveryCall::topics)
        .add("records", EveryCall::records)
        .add("configs", EveryCall::configs)
        .add("groups", EveryCall::groups)
        .add("transactions", EveryCall::transactions)
        .add("cluster", EveryCall::cluster)
        .add("security", EveryCall::security)
        .add("every call", EveryCall::every)
        .add("share and streams groups", () -> { throw new Skip("they are left out"); })
        .main("Java's Admin", Admin.class);
  }
}
