// sarama.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	. "matrix/checks"
)

var servers = strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")

func config() *sarama.Config {
	made := sarama.NewConfig()
	made.Version = sarama.MaxVersion
	made.Producer.Return.Successes = true
	made.Consumer.Offsets.Initial = sarama.OffsetOldest
	made.Metadata.Retry.Max, made.Metadata.Retry.Backoff = 20, 100*time.Millisecond
	made.Producer.Retry.Max, made.Producer.Retry.Backoff = 20, 100*time.Millisecond
	return made
}

func producer(settings *sarama.Config) sarama.SyncProducer {
	made, err := sarama.NewSyncProducer(servers, settings)
	Must(err)
	return made
}

func send(one sarama.SyncProducer, topic string, from, to int) {
	for ; from < to; from++ {
		value := sarama.StringEncoder(fmt.Sprint(from))
		_, _, err := one.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: value, Value: value})
		Must(err)
	}
}

// Member is one consumer of a group, with what it got.
type Member struct {
	group  sarama.ConsumerGroup
	stop   context.CancelFunc
	lock   sync.Mutex
	values map[string]bool
	claims int
}

func (m *Member) Setup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.claims = 0
	for _, parts := range session.Claims() {
		m.claims += len(parts)
	}
	return nil
}

func (m *Member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *Member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for message := range c.Messages() {
		m.lock.Lock()
		m.values[string(message.Value)] = true
		m.lock.Unlock()
		s.MarkMessage(message, "")
	}
	return nil
}

func (m *Member) sizes() (claims, values int) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.claims, len(m.values)
}

func (m *Member) leave() {
	m.stop()
	Must(m.group.Close())
}

func member(topic, name string) *Member {
	settings := config()
	settings.Consumer.Group.Rebalance.Retry.Max = 50
	settings.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	group, err := sarama.NewConsumerGroup(servers, Run+"-"+name, settings)
	Must(err)
	running, stop := context.WithCancel(context.Background())
	made := &Member{group: group, stop: stop, values: map[string]bool{}}
	go func() {
		for running.Err() == nil {
			if group.Consume(running, []string{topic}, made) != nil {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
	return made
}

func made(topic string, partitions int32) {
	admin, err := sarama.NewClusterAdmin(servers, config())
	Must(err)
	defer admin.Close()
	Must(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	// Apache Kafka answers before all of its parts know of a topic.
	known(admin, topic, int(partitions))
}

func known(admin sarama.ClusterAdmin, topic string, partitions int) {
	Until("the topic's partitions", func() bool {
		found, err := admin.DescribeTopics([]string{topic})
		Must(err)
		return len(found[0].Partitions) == partitions
	})
}

func has(one *Member, count int) {
	Until(fmt.Sprint(count, " records"), func() bool { _, found := one.sizes(); return found == count })
}

func produce() {
	for _, codec := range []sarama.CompressionCodec{0, 1, 2, 3, 4} {
		topic := fmt.Sprint(Run, "-codec-", codec)
		made(topic, 3)
		settings := config()
		settings.Producer.Compression = codec
		one := producer(settings)
		send(one, topic, 0, 20)
		Must(one.Close())
		reader := member(topic, topic)
		has(reader, 20)
		reader.leave()
	}
}

func group() {
	topic := Run + "-group"
	made(topic, 4)
	first, second := member(topic, "group"), member(topic, "group")
	Until("two each", func() bool {
		one, _ := first.sizes()
		other, _ := second.sizes()
		return one == 2 && other == 2
	})
	second.leave()
	Until("all for who is left", func() bool { claims, _ := first.sizes(); return claims == 4 })
	one := producer(config())
	send(one, topic, 0, 20)
	has(first, 20)
	first.leave()
	send(one, topic, 20, 21)
	again := member(topic, "group")
	Until("the last", func() bool { _, found := again.sizes(); return found > 0 })
	Equal(again.values, map[string]bool{"20": true})
	again.leave()
	Must(one.Close())
}

func transactions() {
	topic := Run + "-tx"
	made(topic, 1)
	settings := config()
	settings.Producer.Idempotent, settings.Net.MaxOpenRequests = true, 1
	settings.Producer.RequiredAcks = sarama.WaitForAll
	settings.Producer.Transaction.ID = topic
	one := producer(settings)
	for number := range 4 {
		Must(one.BeginTxn())
		send(one, topic, number, number+1)
		if number%2 == 0 {
			Must(one.CommitTxn())
		} else {
			Must(one.AbortTxn())
		}
	}
	Must(one.Close())
	settings = config()
	settings.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(servers, settings)
	Must(err)
	part, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	Must(err)
	Equal(string((<-part.Messages()).Value), "0")
	Equal(string((<-part.Messages()).Value), "2")
	Must(consumer.Close())
}

func admin() {
	topic := Run + "-admin"
	made(topic, 2)
	one, err := sarama.NewClusterAdmin(servers, config())
	Must(err)
	defer one.Close()
	Must(one.CreatePartitions(topic, 5, nil, false))
	known(one, topic, 5)
	value := "600000"
	Must(one.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &value}, false))
	Until("the configuration", func() bool {
		entries, err := one.DescribeConfig(sarama.ConfigResource{
			Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"},
		})
		Must(err)
		return entries[0].Value == value
	})
	_, err = one.ListConsumerGroups()
	Must(err)
	Must(one.DeleteRecords(topic, map[int32]int64{0: 0}))
	Must(one.DeleteTopic(topic))
}

func survive(what string) func() {
	return func() {
		topic := Run + "-" + what
		made(topic, 2)
		reader := member(topic, what)
		settings := config()
		settings.Producer.Idempotent, settings.Net.MaxOpenRequests = true, 1
		settings.Producer.RequiredAcks = sarama.WaitForAll
		one := producer(settings)
		send(one, topic, 0, 1)
		has(reader, 1)
		Happen(what)
		send(one, topic, 1, 30)
		has(reader, 30)
		reader.leave()
		Must(one.Close())
	}
}

type proof struct{ *scram.ClientConversation }

func (p *proof) Begin(user, password, identity string) error {
	client, err := scram.SHA512.NewClient(user, password, identity)
	if err == nil {
		p.ClientConversation = client.NewConversation()
	}
	return err
}

func secured() {
	login := func(password string) error {
		settings := config()
		settings.Metadata.Retry.Max = 0
		settings.Net.TLS.Enable, settings.Net.TLS.Config = true, TLS()
		settings.Net.SASL.Enable, settings.Net.SASL.User = true, "alice"
		settings.Net.SASL.Password = password
		settings.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
		settings.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &proof{} }
		one, err := sarama.NewClient([]string{os.Getenv("KAFKA_TLS_BOOTSTRAP_SERVERS")}, settings)
		if err == nil {
			_, err = one.Controller()
			one.Close()
		}
		return err
	}
	Must(login("secret"))
	Refused(login("wrong"))
}

func main() {
	Main("sarama", "github.com/IBM/sarama", []Check{
		{"produce", produce},
		{"group", group},
		{"transactions", transactions},
		{"admin", admin},
		{"kill", survive("kill")},
		{"restart", survive("restart")},
		{"TLS", secured},
	})
}
