package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"

	"github.com/memfault-go/memfault"
)

// connection is the project, and how to reach it.
type connection struct {
	client  *memfault.Client
	project memfault.ProjectRef
	key     string // project key; if empty, it is requested
	close   func()

	once   sync.Once
	device *memfault.Client
	err    error
}

// connect returns the connection that the environment describes, or one to a fake Memfault.
func connect(ctx context.Context, c *cli) (*connection, error) {
	if c.Fake {
		return startFake(ctx, c, fakeTick)
	}
	client, project, err := memfault.NewClientFromEnv(memfault.WithUserAgent("ci-release"))
	if err != nil {
		return nil, badInput("%s", strings.TrimPrefix(err.Error(), "memfault: "))
	}
	return &connection{client: client, project: project, key: os.Getenv("MEMFAULT_PROJECT_KEY"), close: client.CloseIdleConnections}, nil
}

// asDevice returns a client with the project key, as devices have it. It returns nil if the
// credential may not read the key.
func (c *connection) asDevice(ctx context.Context) (*memfault.Client, error) {
	c.once.Do(func() {
		key := c.key
		if key == "" {
			key, c.err = c.client.Projects.GetProjectKey(ctx, c.project)
		}
		if errors.Is(c.err, memfault.ErrForbidden) {
			c.err = nil
			return
		}
		if c.err == nil {
			c.device = c.client.WithAuth(memfault.ProjectKey(key))
		}
	})
	return c.device, c.err
}
