// autopaho, the MQTT 5.0 client of paho.golang that connects again by itself.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"sort"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	. "matrix/checks"
)

var background = context.Background()

type Device struct {
	*autopaho.ConnectionManager
	lock sync.Mutex
	got  []*paho.Publish
	stop context.CancelFunc
}

func connect(name string, place *url.URL, change func(*autopaho.ClientConfig)) (*Device, error) {
	device := &Device{}
	config := autopaho.ClientConfig{
		ServerUrls:       []*url.URL{place},
		KeepAlive:        20,
		ReconnectBackoff: func(int) time.Duration { return 50 * time.Millisecond },
		ClientConfig: paho.ClientConfig{
			ClientID: Run + "-" + name,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(received paho.PublishReceived) (bool, error) {
					device.lock.Lock()
					defer device.lock.Unlock()
					device.got = append(device.got, received.Packet)
					return true, nil
				},
			},
		},
	}
	config.CleanStartOnInitialConnection = true
	if change != nil {
		change(&config)
	}
	running, stop := context.WithCancel(background)
	device.stop = stop
	manager, err := autopaho.NewConnection(running, config)
	Must(err)
	device.ConnectionManager = manager
	limit, end := context.WithTimeout(background, 5*time.Second)
	defer end()
	if err := manager.AwaitConnection(limit); err != nil {
		stop()
		return nil, err
	}
	return device, nil
}

func plain(name string, change func(*autopaho.ClientConfig)) *Device {
	device, err := connect(name, URL("MQTT_URL"), change)
	Must(err)
	return device
}

func (d *Device) listen(topic string, qos byte) {
	_, err := d.Subscribe(background, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: qos}},
	})
	Must(err)
}

func (d *Device) send(message *paho.Publish) {
	_, err := d.Publish(background, message)
	Must(err)
}

func (d *Device) messages(count int) (found []string) {
	Until(fmt.Sprint(count, " messages"), func() bool {
		d.lock.Lock()
		defer d.lock.Unlock()
		found = nil
		for _, one := range d.got {
			found = append(found, fmt.Sprintf("%s %d", one.Payload, one.QoS))
		}
		return len(found) >= count
	})
	return
}

func (d *Device) close() {
	limit, end := context.WithTimeout(background, time.Second)
	defer end()
	d.Disconnect(limit)
	d.stop()
}

func qos() {
	device := plain("qos", nil)
	device.listen(Run+"/qos/+", 2)
	for _, level := range []byte{0, 1, 2} {
		device.send(&paho.Publish{Topic: fmt.Sprint(Run, "/qos/", level), QoS: level, Payload: []byte("m")})
	}
	found := device.messages(3)
	sort.Strings(found)
	Equal(found, []string{"m 0", "m 1", "m 2"})
	device.close()
}

func retained() {
	device := plain("retained", nil)
	device.send(&paho.Publish{Topic: Run + "/kept", QoS: 1, Retain: true, Payload: []byte("on")})
	device.listen(Run+"/kept", 1)
	Equal(device.messages(1), []string{"on 1"})
	device.close()
}

func will() {
	watcher := plain("watcher", nil)
	watcher.listen(Run+"/will", 1)
	doomed := plain("doomed", func(config *autopaho.ClientConfig) {
		config.WillMessage = &paho.WillMessage{Topic: Run + "/will", Payload: []byte("gone"), QoS: 1}
	})
	defer doomed.stop()
	other := plain("doomed", nil) // takes the place of the first, which sends no DISCONNECT
	Equal(watcher.messages(1), []string{"gone 1"})
	other.close()
	watcher.close()
}

func lasting(config *autopaho.ClientConfig) {
	config.CleanStartOnInitialConnection = false
	config.SessionExpiryInterval = 300
}

func session() {
	first := plain("sleeper", lasting)
	first.listen(Run+"/away", 1)
	first.close()
	other := plain("other", nil)
	other.send(&paho.Publish{Topic: Run + "/away", QoS: 1, Payload: []byte("while away")})
	again := plain("sleeper", lasting)
	Equal(again.messages(1), []string{"while away 1"})
	again.close()
	other.close()
}

func properties() {
	device := plain("properties", nil)
	device.listen(Run+"/properties", 1)
	sent := &paho.PublishProperties{ResponseTopic: "answers", CorrelationData: []byte("7")}
	sent.User.Add("a", "1")
	sent.User.Add("a", "2")
	device.send(&paho.Publish{
		Topic: Run + "/properties", QoS: 1, Payload: []byte("here"), Properties: sent,
	})
	device.messages(1)
	got := device.got[0].Properties
	Equal(got.ResponseTopic+string(got.CorrelationData), "answers7")
	Equal(got.User.GetAll("a"), []string{"1", "2"})
	device.close()
}

func survive(what string) func() {
	return func() {
		topic := Run + "/" + what
		device := plain(what, lasting)
		device.listen(topic, 1)
		publisher := plain(what+"-publisher", lasting)
		publisher.send(&paho.Publish{Topic: topic, QoS: 1, Payload: []byte("before")})
		device.messages(1)
		Happen(what)
		Until("a publish again", func() bool {
			limit, end := context.WithTimeout(background, 2*time.Second)
			defer end()
			if publisher.AwaitConnection(limit) != nil {
				return false
			}
			_, err := publisher.Publish(limit, &paho.Publish{Topic: topic, QoS: 1, Payload: []byte("after")})
			return err == nil
		})
		Until("the message after it", func() bool {
			for _, one := range device.messages(1) {
				if one == "after 1" {
					return true
				}
			}
			return false
		})
		publisher.close()
		device.close()
	}
}

func exchange(variable, password string, config *tls.Config) error {
	device, err := connect(variable, URL(variable), func(made *autopaho.ClientConfig) {
		if config != nil {
			made.TlsCfg = config
			made.ConnectUsername, made.ConnectPassword = "alice", []byte(password)
		}
	})
	if err != nil {
		return err
	}
	device.listen(Run+"/"+variable, 1)
	device.send(&paho.Publish{Topic: Run + "/" + variable, QoS: 1, Payload: []byte("here")})
	Equal(device.messages(1), []string{"here 1"})
	device.close()
	return nil
}

func main() {
	Main("autopaho", "github.com/eclipse/paho.golang", []Check{
		{"QoS", qos},
		{"retained", retained},
		{"will", will},
		{"session", session},
		{"properties", properties},
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
