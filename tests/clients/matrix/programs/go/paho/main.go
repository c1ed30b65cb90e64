// paho.mqtt.golang, which speaks MQTT 3.1.1.
package main

import (
	"crypto/tls"
	"fmt"
	"sort"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	. "matrix/checks"
)

type Device struct {
	mqtt.Client
	lock sync.Mutex
	got  []string
}

func finish(token mqtt.Token) error {
	if !token.WaitTimeout(20 * time.Second) {
		return fmt.Errorf("not within 20 s")
	}
	return token.Error()
}

func options(name string) *mqtt.ClientOptions {
	made := mqtt.NewClientOptions().AddBroker(address("MQTT_URL")).SetClientID(Run + "-" + name)
	return made.SetMaxReconnectInterval(200 * time.Millisecond).SetOrderMatters(true)
}

func address(variable string) string {
	place := URL(variable)
	switch place.Scheme {
	case "mqtt":
		place.Scheme = "tcp"
	case "mqtts":
		place.Scheme = "ssl"
	}
	return place.String()
}

func connect(made *mqtt.ClientOptions) *Device {
	device := &Device{}
	made.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		device.lock.Lock()
		defer device.lock.Unlock()
		device.got = append(device.got, fmt.Sprintf("%s %d %v", m.Payload(), m.Qos(), m.Retained()))
	})
	device.Client = mqtt.NewClient(made)
	Must(finish(device.Connect()))
	return device
}

func (d *Device) listen(topic string, qos byte) { Must(finish(d.Subscribe(topic, qos, nil))) }

func (d *Device) send(topic string, qos byte, kept bool, text string) {
	Must(finish(d.Publish(topic, qos, kept, text)))
}

func (d *Device) messages(count int) (found []string) {
	Until(fmt.Sprint(count, " messages"), func() bool {
		d.lock.Lock()
		defer d.lock.Unlock()
		found = append([]string{}, d.got...)
		return len(found) >= count
	})
	return
}

func qos() {
	device := connect(options("qos"))
	device.listen(Run+"/qos/+", 2)
	for _, level := range []byte{0, 1, 2} {
		device.send(fmt.Sprint(Run, "/qos/", level), level, false, fmt.Sprint("m", level))
	}
	found := device.messages(3)
	sort.Strings(found)
	Equal(found, []string{"m0 0 false", "m1 1 false", "m2 2 false"})
	device.Disconnect(100)
}

func retained() {
	device := connect(options("retained"))
	device.send(Run+"/kept", 1, true, "on")
	device.listen(Run+"/kept", 1)
	Equal(device.messages(1), []string{"on 1 true"})
	device.Disconnect(100)
}

func will() {
	watcher := connect(options("watcher"))
	watcher.listen(Run+"/will", 1)
	connect(options("doomed").SetWill(Run+"/will", "gone", 1, false).SetAutoReconnect(false))
	other := connect(options("doomed")) // takes the place of the first, which sends no DISCONNECT
	Equal(watcher.messages(1), []string{"gone 1 false"})
	other.Disconnect(100)
	watcher.Disconnect(100)
}

func session() {
	first := connect(options("sleeper").SetCleanSession(false))
	first.listen(Run+"/away", 1)
	first.Disconnect(100)
	other := connect(options("other"))
	other.send(Run+"/away", 1, false, "while away")
	again := connect(options("sleeper").SetCleanSession(false))
	Equal(again.messages(1), []string{"while away 1 false"})
	again.Disconnect(100)
	other.Disconnect(100)
}

func survive(what string) func() {
	return func() {
		topic := Run + "/" + what
		device := connect(options(what).SetCleanSession(false))
		device.listen(topic, 1)
		publisher := connect(options(what + "-publisher").SetCleanSession(false))
		publisher.send(topic, 1, false, "before")
		device.messages(1)
		Happen(what)
		for number := range 10 {
			publisher.send(topic, 1, false, fmt.Sprint(number))
		}
		Until("all messages", func() bool {
			found := map[string]bool{}
			for _, one := range device.messages(1) {
				found[one] = true
			}
			return len(found) == 11
		})
		publisher.Disconnect(100)
		device.Disconnect(100)
	}
}

func exchange(variable, password string, config *tls.Config) error {
	made := mqtt.NewClientOptions().AddBroker(address(variable)).SetClientID(Run + "-" + variable)
	if config != nil {
		made.SetTLSConfig(config).SetUsername("alice").SetPassword(password)
	}
	probe := mqtt.NewClient(made)
	if err := finish(probe.Connect()); err != nil {
		return err
	}
	probe.Disconnect(100)
	device := connect(made)
	device.listen(Run+"/"+variable, 1)
	device.send(Run+"/"+variable, 1, false, "here")
	Equal(device.messages(1), []string{"here 1 false"})
	device.Disconnect(100)
	return nil
}

func main() {
	Main("paho.mqtt.golang", "github.com/eclipse/paho.mqtt.golang", []Check{
		{"QoS", qos},
		{"retained", retained},
		{"will", will},
		{"session", session},
		{"kill", survive("kill")},
		{"restart", survive("restart")},
		{"TLS", func() {
			Must(exchange("MQTT_TLS_URL", "secret", TLS()))
			Refused(exchange("MQTT_TLS_URL", "wrong", TLS()))
		}},
		{"WebSocket", func() {
			Must(exchange("MQTT_WS_URL", "", nil))
			Must(exchange("MQTT_WSS_URL", "secret", TLS()))
		}},
	})
}
