//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// device publishes numbered chunks, one after the other. It repeats a chunk until a response
// confirms that the chunk is stored.
type device struct {
	serial string
	relays []*relayRole
	http   bool

	stored atomic.Int64 // chunks 0 to stored-1 were acknowledged
	sends  atomic.Int64 // attempts
	slow   atomic.Int64 // longest time until an acknowledgement, in milliseconds
	client mqtt.Client
	home   int // the relay that the device prefers
	away   int // how many relays further it is connected, because others failed
	visits int // chunks sent there
}

func serialOf(n int) string { return fmt.Sprintf("SN-%05d", n) }

func newDevices(n int, relays []*process) []*device {
	devices := make([]*device, n)
	for i := range devices {
		devices[i] = &device{serial: serialOf(i), http: i%10 == 9, home: i}
		for _, relay := range relays {
			devices[i].relays = append(devices[i].relays, relay.role.Relay)
		}
	}
	return devices
}

// publishAll runs the devices until publishing ends, and then until each has the outcome of
// its last chunk.
func publishAll(ctx, publishing context.Context, devices []*device, interval time.Duration) *sync.WaitGroup {
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() {
			defer d.disconnect()
			wait := rand.N(interval) //nolint:gosec // spreads the load
			for n := 0; ; n++ {
				select {
				case <-publishing.Done():
					return
				case <-time.After(wait):
				}
				began := time.Now()
				for !d.send(ctx, n) {
					if ctx.Err() != nil {
						return
					}
					d.disconnect()
					d.away++                                               // as behind a load balancer
					time.Sleep(500*time.Millisecond + rand.N(time.Second)) //nolint:gosec // likewise
				}
				d.stored.Store(int64(n + 1))
				d.returnHome()
				d.slow.Store(max(d.slow.Load(), time.Since(began).Milliseconds()))
				wait = interval/2 + rand.N(interval) //nolint:gosec // likewise
			}
		})
	}
	return &wg
}

// text returns a chunk, which contains its number.
func (d *device) text(n int) string {
	return fmt.Sprintf("%s %06d %s", d.serial, n, strings.Repeat("x", 60))
}

// number returns the number of a chunk.
func number(chunk []byte) (int, error) {
	fields := strings.Fields(string(chunk))
	if len(fields) < 2 {
		return 0, fmt.Errorf("unknown chunk %q", chunk)
	}
	return strconv.Atoi(fields[1])
}

// acknowledgeWait is how long a device waits for an acknowledgement.
const acknowledgeWait = 20 * time.Second

func (d *device) send(ctx context.Context, n int) bool {
	d.sends.Add(1)
	relay := d.relays[(d.home+d.away)%len(d.relays)]
	if d.http {
		ctx, cancel := context.WithTimeout(ctx, acknowledgeWait)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+relay.HTTP+"/chunks/"+d.serial, bytes.NewBufferString(d.text(n)))
		if err != nil {
			return false
		}
		_, err = do(request)
		return err == nil
	}
	if d.client == nil && !d.connect(relay) {
		return false
	}
	token := d.client.Publish("memfault/"+d.serial+"/chunk", 1, false, d.text(n))
	return token.WaitTimeout(acknowledgeWait) && token.Error() == nil
}

func (d *device) connect(relay *relayRole) bool {
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + relay.MQTT).SetClientID(d.serial).
		SetAutoReconnect(false).SetCleanSession(true).SetConnectTimeout(acknowledgeWait).SetKeepAlive(30 * time.Second))
	token := client.Connect()
	if !token.WaitTimeout(acknowledgeWait) || token.Error() != nil {
		return false
	}
	d.client = client
	return true
}

// returnHome connects the device to its own relay again after some chunks, so that the
// connections spread as before.
func (d *device) returnHome() {
	if d.away == 0 {
		return
	}
	if d.visits++; d.visits >= 3 {
		d.disconnect()
		d.away, d.visits = 0, 0
	}
}

func (d *device) disconnect() {
	if d.client != nil {
		d.client.Disconnect(0)
		d.client = nil
	}
}

// do sends a request and returns the body of a response with a status of 2xx.
func do(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return body, err
}
