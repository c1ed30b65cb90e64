// Azure's go-amqp, which RabbitMQ's own client of AMQP 1.0 for Go is built on. Queues are declared
// over 0-9-1, on the same port.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/go-amqp"
	amqp091 "github.com/rabbitmq/amqp091-go"

	. "matrix/checks"
)

var background = context.Background()

func dial(options *amqp.ConnOptions) (*amqp.Conn, *amqp.Session) {
	var connection *amqp.Conn
	Until("a connection", func() bool {
		made, err := amqp.Dial(background, address("AMQP_URL"), options)
		connection = made
		return err == nil
	})
	session, err := connection.NewSession(background, nil)
	Must(err)
	return connection, session
}

// go-amqp takes the path of an address for nothing, RabbitMQ's virtual host is in hostname.
func address(variable string) string {
	return strings.TrimSuffix(os.Getenv(variable), "/%2F")
}

func declare(name string, arguments amqp091.Table) string {
	connection, err := amqp091.Dial(os.Getenv("AMQP_URL"))
	Must(err)
	defer connection.Close()
	channel, err := connection.Channel()
	Must(err)
	queue, err := channel.QueueDeclare(Run+"-go10-"+name, true, false, false, false, arguments)
	Must(err)
	return queue.Name
}

func sender(session *amqp.Session, target string) *amqp.Sender {
	made, err := session.NewSender(background, target, nil)
	Must(err)
	return made
}

func receiver(session *amqp.Session, queue string, credit int32) *amqp.Receiver {
	made, err := session.NewReceiver(background, "/queues/"+queue, &amqp.ReceiverOptions{Credit: credit})
	Must(err)
	return made
}

func message(text string) *amqp.Message {
	made := amqp.NewMessage([]byte(text))
	made.Header = &amqp.MessageHeader{Durable: true}
	return made
}

func next(from *amqp.Receiver) *amqp.Message {
	limited, cancel := context.WithTimeout(background, Longest())
	defer cancel()
	made, err := from.Receive(limited, nil)
	Must(err)
	return made
}

func publish() {
	connection, session := dial(nil)
	defer connection.Close()
	queue := declare("events", nil)
	out := sender(session, "/queues/"+queue)
	for number := range 20 {
		one := message(fmt.Sprint(number))
		one.Properties = &amqp.MessageProperties{MessageID: uint64(number)}
		one.ApplicationProperties = map[string]any{"number": int32(number)}
		one.Annotations = amqp.Annotations{"x-mine": "yes"}
		Must(out.Send(background, one, nil))
	}
	in := receiver(session, queue, 5)
	for number := range 20 {
		one := next(in)
		Equal(string(one.GetData()), number)
		Equal(one.Properties.MessageID, number)
		Equal(one.ApplicationProperties["number"], number)
		Equal(one.Annotations["x-mine"], "yes")
		Equal(one.Annotations["x-routing-key"], queue)
		Must(in.AcceptMessage(background, one))
	}
	_, err := session.NewSender(background, "/queues/"+queue+"-none", nil)
	Refused(err)
}

func outcomes() {
	connection, session := dial(nil)
	defer connection.Close()
	dead := declare("dead", nil)
	queue := declare("work", amqp091.Table{
		"x-queue-type":              "quorum",
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": dead,
	})
	out := sender(session, "/queues/"+queue)
	Must(out.Send(background, message("x"), nil))
	in := receiver(session, queue, 1)
	first := next(in)
	Equal(first.Header.FirstAcquirer, true)
	Must(in.ReleaseMessage(background, first))
	second := next(in)
	Equal(second.Header.FirstAcquirer, false)
	Equal(second.Header.DeliveryCount, 0)
	more := amqp.Annotations{"x-opt-why": "busy"}
	Must(in.ModifyMessage(background, second, &amqp.ModifyMessageOptions{DeliveryFailed: true, Annotations: more}))
	third := next(in)
	Equal(third.Annotations["x-opt-why"], "busy")
	Equal(third.Header.DeliveryCount, 1)
	Must(in.RejectMessage(background, third, &amqp.Error{Condition: "app:no"}))
	buried := next(receiver(session, dead, 1))
	Equal(buried.Annotations["x-opt-why"], "busy")
}

func credit() {
	connection, session := dial(nil)
	defer connection.Close()
	queue := declare("credit", nil)
	out := sender(session, "/queues/"+queue)
	for range 3 {
		Must(out.Send(background, message("x"), nil))
	}
	in := receiver(session, queue, -1)
	Must(in.IssueCredit(2))
	next(in)
	next(in)
	Must(in.IssueCredit(5))
	next(in)
	Must(in.DrainCredit(background, nil))
	Equal(in.Prefetched() == nil, true)
}

func replies() {
	connection, session := dial(nil)
	defer connection.Close()
	queue := declare("requests", nil)
	in, err := session.NewReceiver(background, "", &amqp.ReceiverOptions{
		Credit:                    1,
		DynamicAddress:            true,
		RequestedSenderSettleMode: amqp.SenderSettleModeSettled.Ptr(),
		SourceCapabilities:        []string{"rabbitmq:volatile-queue"},
		SourceExpiryPolicy:        amqp.ExpiryPolicyLinkDetach,
	})
	Must(err)
	where := in.Address()
	request := message("2 + 2")
	request.Properties = &amqp.MessageProperties{MessageID: "r1", ReplyTo: &where}
	Must(sender(session, "/queues/"+queue).Send(background, request, nil))
	asked := next(receiver(session, queue, 1))
	reply := message("4")
	reply.Properties = &amqp.MessageProperties{To: asked.Properties.ReplyTo, CorrelationID: asked.Properties.MessageID}
	Must(sender(session, "").Send(background, reply, nil))
	got := next(in)
	Equal(string(got.GetData()), "4")
	Equal(got.Properties.CorrelationID, "r1")
}

func large() {
	connection, session := dial(nil)
	defer connection.Close()
	queue := declare("large", nil)
	out := sender(session, "/queues/"+queue)
	text := strings.Repeat("z", 1_000_000)
	Must(out.Send(background, message(text), nil))
	one := next(receiver(session, queue, 1))
	Equal(len(one.GetData()), len(text))
}

func survive(what string) func() {
	return func() {
		queue := declare(what, nil)
		connection, session := dial(nil)
		out := sender(session, "/queues/"+queue)
		for _, text := range []string{"0", "1"} {
			Must(out.Send(background, message(text), nil))
		}
		next(receiver(session, queue, 1))
		Happen(what)
		<-connection.Done()
		again, fresh := dial(nil)
		in := receiver(fresh, queue, 2)
		first, second := next(in), next(in)
		Equal(fmt.Sprint(first.Header.FirstAcquirer, string(first.GetData()), string(second.GetData())), "false01")
		Must(again.Close())
	}
}

func secured() {
	options := &amqp.ConnOptions{TLSConfig: TLS()}
	connection, err := amqp.Dial(background, address("AMQP_TLS_URL"), options)
	Must(err)
	session, err := connection.NewSession(background, nil)
	Must(err)
	queue := declare("tls", nil)
	Must(sender(session, "/queues/"+queue).Send(background, message("here"), nil))
	Equal(string(next(receiver(session, queue, 1)).GetData()), "here")
	Must(connection.Close())
	wrong := strings.Replace(address("AMQP_TLS_URL"), ":secret@", ":wrong@", 1)
	_, err = amqp.Dial(background, wrong, options)
	Refused(err)
}

func main() {
	Main("go-amqp", "github.com/Azure/go-amqp", []Check{
		{"publish", publish},
		{"outcomes", outcomes},
		{"credit", credit},
		{"replies", replies},
		{"large bodies", large},
		{"kill", survive("kill")},
		{"restart", survive("restart")},
		{"TLS", secured},
	})
}
