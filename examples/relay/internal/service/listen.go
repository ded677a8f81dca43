package service

import (
	"context"
	"fmt"
	"net"
)

// listeners are the addresses of a relay.
type listeners struct{ http, admin, mqtt net.Listener } // mqtt may be nil

func listen(ctx context.Context, c Config) (*listeners, error) {
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
	return l, nil
}

func (l *listeners) close() {
	for _, listener := range []net.Listener{l.http, l.admin, l.mqtt} {
		if listener != nil {
			_ = listener.Close() // the servers may have closed it
		}
	}
}
