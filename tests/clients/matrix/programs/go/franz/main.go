// franz-go.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	. "matrix/checks"
)

var background = context.Background()

func client(more ...kgo.Opt) *kgo.Client {
	options := []kgo.Opt{
		kgo.SeedBrokers(os.Getenv("KAFKA_BOOTSTRAP_SERVERS")),
		kgo.AllowAutoTopicCreation(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	made, err := kgo.NewClient(append(options, more...)...)
	Must(err)
	return made
}

func numbers(from, to int) (found []string) {
	for ; from < to; from++ {
		found = append(found, fmt.Sprint(from))
	}
	return
}

func send(producer *kgo.Client, topic string, values ...string) {
	for _, value := range values {
		record := &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)}
		record.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}}
		Must(producer.ProduceSync(background, record).FirstErr())
	}
}

func read(reader *kgo.Client, count int) []string {
	limit, end := context.WithTimeout(background, Longest())
	defer end()
	found := map[string]bool{}
	for len(found) < count {
		fetches := reader.PollFetches(limit)
		Must(limit.Err())
		fetches.EachRecord(func(record *kgo.Record) { found[string(record.Value)] = true })
	}
	var values []string
	for value := range found {
		values = append(values, value)
	}
	sort.Strings(values)
	return values
}

func made(topic string, partitions int32) {
	admin := kadm.NewClient(client())
	defer admin.Close()
	_, err := admin.CreateTopic(background, partitions, 1, nil, topic)
	Must(err)
	// Apache Kafka answers before all of its parts know of a topic.
	known(admin, topic, int(partitions))
}

func known(admin *kadm.Client, topic string, partitions int) {
	Until("the topic's partitions", func() bool {
		ends, err := admin.ListEndOffsets(background, topic)
		Must(err)
		return ends.Error() == nil && len(ends[topic]) == partitions
	})
}

func produce() {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		topic := Run + "-" + name
		producer := client(kgo.ProducerBatchCompression(codec))
		send(producer, topic, numbers(0, 20)...)
		reader := client(kgo.ConsumeTopics(topic))
		Equal(len(read(reader, 20)), 20)
		reader.Close()
		producer.Close()
	}
}

func group(more ...kgo.Opt) func() {
	return func() {
		topic := fmt.Sprintf("%s-group-%d", Run, len(more))
		made(topic, 4)
		options := append(more, kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic))
		first, second := client(options...), client(options...)
		producer := client()
		defer producer.Close()
		both := map[int]int{}
		for at := 0; at < 400 && (both[0] == 0 || both[1] == 0); at++ {
			send(producer, topic, fmt.Sprint(at))
			for which, one := range []*kgo.Client{first, second} {
				limit, end := context.WithTimeout(background, 50*time.Millisecond)
				both[which] += one.PollFetches(limit).NumRecords()
				end()
			}
		}
		if both[0] == 0 || both[1] == 0 {
			panic(fmt.Sprint("one of two got all: ", both))
		}
		second.Close()
		send(producer, topic, "x1", "x2", "x3", "x4", "x5")
		found := map[string]bool{}
		Until("all records for who is left", func() bool {
			limit, end := context.WithTimeout(background, time.Second)
			defer end()
			first.PollFetches(limit).EachRecord(func(r *kgo.Record) { found[string(r.Value)] = true })
			return found["x1"] && found["x2"] && found["x3"] && found["x4"] && found["x5"]
		})
		Must(first.CommitUncommittedOffsets(background))
		first.Close()
		send(producer, topic, "last")
		again := client(options...)
		Equal(read(again, 1), []string{"last"})
		again.Close()
	}
}

func transactions() {
	topic := Run + "-tx"
	made(topic, 2)
	producer := client(kgo.TransactionalID(topic))
	for at, value := range numbers(0, 4) {
		Must(producer.BeginTransaction())
		send(producer, topic, value)
		Must(producer.EndTransaction(background, kgo.TransactionEndTry(at%2 == 0)))
	}
	producer.Close()
	reader := client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	Equal(read(reader, 2), []string{"0", "2"})
	reader.Close()
}

// exactlyOnce moves records from a topic to another, with the offsets in the transaction.
func exactlyOnce() {
	source, target := Run+"-from", Run+"-to"
	made(source, 1)
	made(target, 1)
	producer := client()
	send(producer, source, numbers(0, 10)...)
	producer.Close()
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(os.Getenv("KAFKA_BOOTSTRAP_SERVERS")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.TransactionalID(source), kgo.ConsumerGroup(source), kgo.ConsumeTopics(source),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
	)
	Must(err)
	for moved := 0; moved < 10; {
		fetches := session.PollFetches(background)
		Must(session.Begin())
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(background, &kgo.Record{Topic: target, Value: record.Value}, nil)
		})
		committed, err := session.End(background, kgo.TryCommit)
		Must(err)
		if committed {
			moved += fetches.NumRecords()
		}
	}
	session.Close()
	reader := client(kgo.ConsumeTopics(target), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	Equal(read(reader, 10), numbers(0, 10))
	reader.Close()
}

func admin() {
	topic := Run + "-admin"
	made(topic, 2)
	one := kadm.NewClient(client())
	defer one.Close()
	details, err := one.ListTopics(background, topic)
	Must(err)
	Equal(len(details[topic].Partitions), 2)
	_, err = one.UpdatePartitions(background, 5, topic)
	Must(err)
	value := "600000"
	_, err = one.AlterTopicConfigs(background, []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, topic)
	Must(err)
	Until("the configuration", func() bool {
		configs, err := one.DescribeTopicConfigs(background, topic)
		Must(err)
		for _, config := range configs[0].Configs {
			if config.Key == "retention.ms" && *config.Value == value {
				return true
			}
		}
		return false
	})
	known(one, topic, 5)
	_, err = one.ListGroups(background)
	Must(err)
	_, err = one.DescribeAllLogDirs(background, nil)
	Must(err)
	_, err = one.DeleteTopic(background, topic)
	Must(err)
}

func survive(what string) func() {
	return func() {
		topic := Run + "-" + what
		made(topic, 2)
		reader := client(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic))
		producer := client()
		send(producer, topic, "0")
		read(reader, 1)
		Must(reader.CommitUncommittedOffsets(background))
		Happen(what)
		send(producer, topic, numbers(1, 30)...)
		Equal(len(read(reader, 29)), 29)
		reader.Close()
		producer.Close()
	}
}

func secured() {
	login := func(password string) error {
		one := client(
			kgo.SeedBrokers(os.Getenv("KAFKA_TLS_BOOTSTRAP_SERVERS")), kgo.DialTLSConfig(TLS()),
			kgo.SASL(scram.Auth{User: "alice", Pass: password}.AsSha512Mechanism()),
		)
		defer one.Close()
		limit, end := context.WithTimeout(background, Longest()/3)
		defer end()
		return one.Ping(limit)
	}
	Must(login("secret"))
	Refused(login("wrong"))
}

func main() {
	next := kgo.WithContext(context.WithValue(background, "opt_in_kafka_next_gen_balancer_beta", true))
	Main("franz-go", "github.com/twmb/franz-go", []Check{
		{"produce", produce},
		{"group", group()},
		{"KIP-848", group(next)},
		{"transactions", transactions},
		{"exactly once", exactlyOnce},
		{"admin", admin},
		{"kill", survive("kill")},
		{"restart", survive("restart")},
		{"TLS", secured},
	})
}
