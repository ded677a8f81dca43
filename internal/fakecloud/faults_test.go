package fakecloud_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

func TestFault_Device(t *testing.T) {
	for name, send := range map[string]func(x *tester, serial string) answer{
		"path":                   func(x *tester, serial string) answer { return x.chunk(serial, "a chunk") },
		"query":                  func(x *tester, serial string) answer { return x.get("/reports?device_serial=" + serial) },
		"query parameter device": func(x *tester, serial string) answer { return x.get("/installs?device=other&device=" + serial) },
		"body": func(x *tester, serial string) answer {
			return x.console("POST", "/mar", `{"device_serial":"`+serial+`"}`)
		},
		"nested in the body": func(x *tester, serial string) answer {
			return x.console("POST", "/elf_coredumps", `{"device":{"device_serial":"`+serial+`"}}`)
		},
		"array": func(x *tester, serial string) answer {
			return x.keyed("POST", "/api/v0/events", `[{"device_serial":"`+serial+`"},{}]`)
		},
	} {
		x := newTester(t)
		x.cloud.Fail(fakecloud.Fault{Device: "S1", Status: http.StatusTeapot})
		assert.Equal(t, http.StatusTeapot, send(x, "S1").status, name)
		assert.NotEqual(t, http.StatusTeapot, send(x, "S2").status, name)
		x.cloud.Heal()
		assert.NotEqual(t, http.StatusTeapot, send(x, "S1").status, name)
	}
	x := newTester(t)
	x.cloud.Fail(fakecloud.Fault{Device: "S1", Status: http.StatusTeapot})
	assert.Equal(t, 200, x.get("/devices").status)
	assert.NotEqual(t, http.StatusTeapot, x.keyed("POST", "/api/v0/events", `[{},{"device_serial":"S1"}]`).status, "only the first event counts")
}

// failures sends n requests and returns which ones fail, as + and -.
func failures(t *testing.T, n int, fault fakecloud.Fault) string {
	t.Helper()
	x := newTester(t)
	fault.Status = http.StatusServiceUnavailable
	x.cloud.Fail(fault)
	var seen strings.Builder
	for range n {
		mark := "-"
		if x.get("").status == fault.Status {
			mark = "+"
		}
		seen.WriteString(mark)
	}
	return seen.String()
}

func TestFault_Conditions(t *testing.T) {
	assert.Equal(t, "--+++++", failures(t, 7, fakecloud.Fault{Skip: 2}))
	assert.Equal(t, "--+--+-", failures(t, 7, fakecloud.Fault{Every: 3}))
	assert.Equal(t, "-----+--+---", failures(t, 12, fakecloud.Fault{Skip: 3, Every: 3, Times: 2}))
	assert.Equal(t, "+++", failures(t, 3, fakecloud.Fault{Share: 1}))

	some := failures(t, 1000, fakecloud.Fault{Share: 0.3, Seed: 7})
	assert.InDelta(t, 300, strings.Count(some, "+"), 60)
	assert.Equal(t, some, failures(t, 1000, fakecloud.Fault{Share: 0.3, Seed: 7}), "the same each time")
	assert.NotEqual(t, some, failures(t, 1000, fakecloud.Fault{Share: 0.3, Seed: 8}))
	limited := failures(t, 1000, fakecloud.Fault{Share: 0.3, Seed: 7, Times: 5})
	assert.Equal(t, 5, strings.Count(limited, "+"), "Times counts the requests that fail")
	assert.True(t, strings.HasPrefix(some, limited[:strings.LastIndex(limited, "+")+1]))
}

func TestFault_Header(t *testing.T) {
	x := newTester(t)
	x.cloud.Fail(fakecloud.Fault{Status: 503, Body: "<p>", ContentType: "text/html", Header: http.Header{"X-A": {"1", "2"}, "content-type": {"text/plain"}}})
	a := x.get("")
	assert.Equal(t, []string{"1", "2"}, a.header["X-A"])
	assert.Equal(t, []string{"text/plain"}, a.header["Content-Type"])
}

func TestClose_EndsDelayedRequests(t *testing.T) {
	for name, start := range map[string]func(*fakecloud.Cloud) *fakecloud.Server{
		"one address": (*fakecloud.Cloud).Serve, "an address for each host": (*fakecloud.Cloud).ServeHosts,
	} {
		t.Run(name, func(t *testing.T) {
			cloud := fakecloud.New()
			server := start(cloud)
			held := make(chan struct{})
			cloud.Fail(fakecloud.Fault{Delay: time.Hour, Before: func() { close(held) }})
			failed := make(chan error)
			go func() {
				req, err := http.NewRequestWithContext(t.Context(), "GET", server.Hosts.API+root, nil)
				if err == nil {
					var resp *http.Response
					if resp, err = http.DefaultClient.Do(req); err == nil {
						_ = resp.Body.Close()
					}
				}
				failed <- err
			}()
			<-held
			server.Close()
			require.Error(t, <-failed, "the request must get no response")
		})
	}
}

func TestFault_RemoveAndFor(t *testing.T) {
	x := newTester(t)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	x.cloud.SetClock(func() time.Time { return now })
	remove := x.cloud.Fail(fakecloud.Fault{Status: 418})
	x.cloud.Fail(fakecloud.Fault{Status: 503, For: time.Minute})
	assert.Equal(t, 418, x.get("").status, "the first one applies")
	remove()
	remove()
	assert.Equal(t, 503, x.get("").status, "the other one stays")
	now = now.Add(time.Minute - 1)
	assert.Equal(t, 503, x.get("").status)
	now = now.Add(1)
	assert.Equal(t, 200, x.get("").status)
	now = now.Add(-time.Hour)
	assert.Equal(t, 200, x.get("").status, "a fault that has ended stays ended")

	remove = x.cloud.Fail(fakecloud.Fault{Status: 418})
	x.cloud.Heal()
	x.cloud.Fail(fakecloud.Fault{Status: 503})
	remove()
	assert.Equal(t, 503, x.get("").status)
}
