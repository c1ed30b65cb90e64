// amqp091-go, whose users write the reconnecting themselves.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	. "matrix/checks"
)

var background = context.Background()

func open() (*amqp.Connection, *amqp.Channel) {
	var connection *amqp.Connection
	Until("a connection", func() bool {
		made, err := amqp.Dial(os.Getenv("AMQP_URL"))
		connection = made
		return err == nil
	})
	channel, err := connection.Channel()
	Must(err)
	return connection, channel
}

func declare(channel *amqp.Channel, name string, arguments amqp.Table) string {
	queue, err := channel.QueueDeclare(Run+"-go-"+name, true, false, false, false, arguments)
	Must(err)
	return queue.Name
}

func send(channel *amqp.Channel, queue, text string, change ...func(*amqp.Publishing)) {
	message := amqp.Publishing{Body: []byte(text), DeliveryMode: amqp.Persistent}
	for _, one := range change {
		one(&message)
	}
	Must(channel.PublishWithContext(background, "", queue, false, false, message))
}

func take(channel *amqp.Channel, queue string, auto bool) <-chan amqp.Delivery {
	found, err := channel.Consume(queue, "", auto, false, false, false, nil)
	Must(err)
	return found
}

func next(deliveries <-chan amqp.Delivery) amqp.Delivery {
	select {
	case one, ok := <-deliveries:
		if !ok {
			panic("the channel was closed")
		}
		return one
	case <-time.After(20 * time.Second):
		panic("no delivery within 20 s")
	}
}

func publish() {
	connection, channel := open()
	defer connection.Close()
	Must(channel.Confirm(false))
	returned := channel.NotifyReturn(make(chan amqp.Return, 1))
	exchange := Run + "-go-events"
	Must(channel.ExchangeDeclare(exchange, "topic", false, false, false, false, nil))
	queue := declare(channel, "invoices", nil)
	Must(channel.QueueBind(queue, "order.*", exchange, false, nil))
	headers := amqp.Table{"n": int32(1), "deep": []any{int64(1), "x"}}
	for number := range 20 {
		message := amqp.Publishing{Body: fmt.Append(nil, number), Headers: headers}
		confirm, err := channel.PublishWithDeferredConfirm(exchange, "order.paid", true, false, message)
		Must(err)
		Equal(confirm.Wait(), true)
	}
	Must(channel.PublishWithContext(background, exchange, "nobody", true, false, amqp.Publishing{}))
	Equal((<-returned).ReplyCode, 312)
	Must(channel.Qos(5, 0, false))
	deliveries := take(channel, queue, false)
	again := 0
	for got := 0; got < 20; {
		one := next(deliveries)
		Equal(one.Headers, headers)
		if string(one.Body) == "7" && !one.Redelivered {
			Must(one.Nack(false, true))
			continue
		}
		if one.Redelivered {
			again++
		}
		Must(one.Ack(false))
		got++
	}
	Equal(again, 1)
}

func deadLetters() {
	connection, channel := open()
	defer connection.Close()
	dead := declare(channel, "dead", nil)
	arguments := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
	long := declare(channel, "long", arguments)
	arguments["x-message-ttl"] = int32(50)
	short := declare(channel, "short", arguments)
	deliveries := take(channel, dead, true)
	reason := func() any {
		return next(deliveries).Headers["x-death"].([]any)[0].(amqp.Table)["reason"]
	}
	send(channel, short, "x")
	Equal(reason(), "expired")
	send(channel, long, "x")
	one := next(take(channel, long, false))
	Must(one.Reject(false))
	Equal(reason(), "rejected")
}

func limits() {
	connection, channel := open()
	defer connection.Close()
	queue := declare(channel, "two", amqp.Table{"x-max-length": int32(2)})
	for number := range 4 {
		send(channel, queue, fmt.Sprint(number))
	}
	deliveries := take(channel, queue, true)
	Equal(string(next(deliveries).Body)+string(next(deliveries).Body), "23")
	queue = declare(channel, "ranked", amqp.Table{"x-max-priority": int32(5)})
	for _, rank := range []uint8{1, 5, 3} {
		send(channel, queue, fmt.Sprint(rank), func(m *amqp.Publishing) { m.Priority = rank })
	}
	deliveries = take(channel, queue, true)
	Equal(string(next(deliveries).Body)+string(next(deliveries).Body), "53")
}

func rpc() {
	connection, channel := open()
	defer connection.Close()
	queue := declare(channel, "rpc", nil)
	answers := take(channel, "amq.rabbitmq.reply-to", true)
	send(channel, queue, "ask", func(m *amqp.Publishing) { m.ReplyTo = "amq.rabbitmq.reply-to" })
	other, server := open()
	defer other.Close()
	send(server, next(take(server, queue, true)).ReplyTo, "answer")
	Equal(string(next(answers).Body), "answer")
}

func transactions() {
	connection, channel := open()
	defer connection.Close()
	queue := declare(channel, "tx", nil)
	Must(channel.Tx())
	send(channel, queue, "no")
	Must(channel.TxRollback())
	send(channel, queue, "yes")
	Must(channel.TxCommit())
	one, found, err := channel.Get(queue, true)
	Must(err)
	Equal(fmt.Sprint(found, string(one.Body)), "trueyes")
}

func survive(what string) func() {
	return func() {
		connection, channel := open()
		closed := connection.NotifyClose(make(chan *amqp.Error, 1))
		queue := declare(channel, what, nil)
		Must(channel.Confirm(false))
		for _, text := range []string{"0", "1"} {
			message := amqp.Publishing{Body: []byte(text), DeliveryMode: amqp.Persistent}
			confirm, err := channel.PublishWithDeferredConfirm("", queue, false, false, message)
			Must(err)
			confirm.Wait()
		}
		next(take(channel, queue, false))
		Happen(what)
		<-closed
		again, fresh := open()
		deliveries := take(fresh, queue, true)
		first := next(deliveries)
		Equal(fmt.Sprint(first.Redelivered, string(first.Body), string(next(deliveries).Body)), "true01")
		Must(again.Close())
	}
}

func secured() {
	address := os.Getenv("AMQP_TLS_URL")
	connection, err := amqp.DialTLS(address, TLS())
	Must(err)
	channel, err := connection.Channel()
	Must(err)
	queue := declare(channel, "tls", nil)
	send(channel, queue, "here")
	Equal(string(next(take(channel, queue, true)).Body), "here")
	Must(connection.Close())
	_, err = amqp.DialTLS(strings.Replace(address, ":secret@", ":wrong@", 1), TLS())
	Refused(err)
}

func main() {
	Main("amqp091-go", "github.com/rabbitmq/amqp091-go", []Check{
		{"publish", publish},
		{"dead letters", deadLetters},
		{"limits", limits},
		{"RPC", rpc},
		{"transactions", transactions},
		{"kill", survive("kill")},
		{"restart", survive("restart")},
		{"TLS", secured},
	})
}
