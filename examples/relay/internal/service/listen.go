package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/memfault-go/memfault/examples/relay/internal/limit"
)

// greeting is how long a client may take to complete the handshake and its first packet.
const greeting = 15 * time.Second

// listeners are the addresses of a relay.
type listeners struct {
	http, admin, mqtt net.Listener // mqtt may be nil
	devices           []*limit.Listener
}

func listen(ctx context.Context, c Config, refused func()) (*listeners, error) {
	l := &listeners{}
	for _, each := range []struct {
		what, address string
		listener      *net.Listener
	}{{"HTTP", c.HTTP, &l.http}, {"MQTT", c.MQTT, &l.mqtt}, {"operators", c.Admin, &l.admin}} {
		if each.address == "" {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", each.address)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("relay: address for %s: %w", each.what, err)
		}
		*each.listener = listener
	}
	l.http, l.mqtt = l.limit(c, l.http, 0, refused), l.limit(c, l.mqtt, greeting, refused) // HTTP has its own time limits
	if c.TLS != nil {
		l.http = tls.NewListener(l.http, c.TLS.Server("http/1.1"))
		if l.mqtt != nil {
			l.mqtt = tls.NewListener(l.mqtt, c.TLS.Server())
		}
	}
	return l, nil
}

// limit limits the connections of devices.
func (l *listeners) limit(c Config, listener net.Listener, greeted time.Duration, refused func()) net.Listener {
	if listener == nil {
		return nil
	}
	limited := &limit.Listener{Listener: listener, Most: c.Connections, MostOf: c.ConnectionsOfAddress, Greeted: greeted, Refused: refused}
	l.devices = append(l.devices, limited)
	return limited
}

func (l *listeners) connections() (n int) {
	for _, each := range l.devices {
		n += each.Open()
	}
	return n
}

func (l *listeners) close() {
	for _, listener := range []net.Listener{l.http, l.admin, l.mqtt} {
		if listener != nil {
			_ = listener.Close() // the servers may have closed it
		}
	}
}
