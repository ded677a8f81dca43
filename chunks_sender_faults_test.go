package memfault_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// What happens to a batch of two chunks after each outcome, while other devices are served.
func TestChunkSender_Outcomes(t *testing.T) {
	const accepted, reported, split, kept, paused = "accepted", "reported", "split and reported", "kept", "kept, sender paused"
	const alone = "kept, and reported when others are accepted"
	respond := func(status int, header ...string) roundTripper {
		return func(*http.Request) (*http.Response, error) { return newResponse(status, "", header...) }
	}
	fail := func(err error) roundTripper {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	tests := map[string]struct {
		handle roundTripper
		want   string
	}{
		"202": {respond(202), accepted}, "200": {respond(200), accepted},
		"400": {respond(400), split}, "413": {respond(413), split},
		"401": {respond(401), paused}, "403": {respond(403), paused},
		"404": {respond(404), alone}, "409": {respond(409), alone}, "411": {respond(411), alone}, "415": {respond(415), alone},
		"405": {respond(405), alone}, "410": {respond(410), alone}, "451": {respond(451), alone},
		"422": {respond(422), reported},
		"captive portal": {func(*http.Request) (*http.Response, error) {
			return newResponse(200, "<!DOCTYPE html><html>log in</html>", "Content-Type", "text/html")
		}, kept},
		"captive portal without a body": {respond(200, "Content-Type", "text/html; charset=utf-8"), kept},
		"302":                           {respond(302, "Location", "http://portal.example/"), kept}, "408": {respond(408), kept},
		"429": {respond(429), kept}, "429 Retry-After": {respond(429, "Retry-After", "9"), kept},
		"500": {respond(500), kept}, "501": {respond(501), kept}, "521": {respond(521), kept},
		"502": {respond(502), kept}, "503": {respond(503), kept}, "503 Retry-After": {respond(503, "Retry-After", "9"), kept},
		"504": {respond(504), kept}, "529": {respond(529), kept},
		"lost": {fail(errReset), kept}, "not connected": {fail(&net.OpError{Op: "dial", Err: errReset}), kept},
		"no response": {func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}, kept},
		"panic": {func(*http.Request) (*http.Response, error) { panic("s3cret") }, paused},
		"exit":  {func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, paused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, requests, pauses := make(chan struct{}), 0, 0
				sender := senderOver(t, memfault.ChunkSenderOptions{OnPause: func(error) { pauses++ }}, func(req *http.Request) (*http.Response, error) {
					if serialOf(req) != "A" {
						return newResponse(202, "")
					}
					if requests++; requests == 1 { // keeps the others waiting, so that they are one batch
						<-gate
						return newResponse(202, "")
					}
					return test.handle(req)
				})
				ledger := newChunkLedger()
				ledger.send(t, sender, "A", chunkTexts(3)...)
				close(gate)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				pause := sender.Stats().Paused
				if test.want == alone {
					assert.NotContains(t, ledger.results, "A "+chunkText(1))
					for i := range 120 { // others are accepted
						ledger.send(t, sender, "C", chunkText(i))
						time.Sleep(time.Second)
					}
				}
				ledger.send(t, sender, "B", "b")
				time.Sleep(10 * time.Second)
				synctest.Wait()
				_, done := ledger.results["A "+chunkText(2)]
				switch test.want {
				case accepted:
					assert.Equal(t, []error{nil}, ledger.results["A "+chunkText(2)])
					assert.Equal(t, 2, requests)
				case reported, split, alone:
					for _, chunk := range chunkTexts(3)[1:] {
						status, err := strconv.Atoi(name)
						require.NoError(t, err)
						requireError(t, ledger.results["A "+chunk][0], status)
					}
					if test.want != alone {
						assert.Equal(t, map[string]int{reported: 2, split: 4}[test.want], requests)
					}
				default:
					assert.False(t, done)
					assert.Greater(t, requests, 2, "it is retried")
				}
				assert.Equal(t, test.want == paused, pauses > 0)
				if test.want == paused {
					assert.Equal(t, 1, pauses)
					require.Error(t, pause) // another device that is accepted can end it
					assert.NotContains(t, pause.Error(), "s3cret")
				} else {
					assert.Equal(t, []error{nil}, ledger.results["B b"])
				}
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				_ = sender.Close(ended)
				ledger.count(t)
			})
		})
	}
}

// A wrong address, or a proxy that responds instead of Memfault, costs no chunk: several devices
// in a row with such a status pause the sender.
func TestChunkSender_MisdirectedForSeconds(t *testing.T) {
	for _, status := range []int{404, 405, 410, 451} {
		synctest.Test(t, func(t *testing.T) {
			start, pauses := time.Now(), []error(nil)
			options := memfault.ChunkSenderOptions{OnPause: func(err error) { pauses = append(pauses, err) }}
			sender := senderOver(t, options, func(*http.Request) (*http.Response, error) {
				time.Sleep(50 * time.Millisecond)
				if since := time.Since(start); since > 20*time.Second && since < 30*time.Second {
					return newResponse(status, "")
				}
				return newResponse(202, "")
			})
			ledger := newChunkLedger()
			for i := range 60 {
				for device := range 100 {
					ledger.send(t, sender, fmt.Sprint(device), chunkText(i))
					time.Sleep(10 * time.Millisecond)
				}
			}
			require.NoError(t, sender.Close(t.Context()))
			accepted, reported := ledger.count(t)
			assert.Equal(t, 6000, accepted)
			assert.Zero(t, reported)
			require.Len(t, pauses, 1)
			requireError(t, pauses[0], status)
		})
	}
}

// A restarted proxy or cloud costs no chunk.
func TestChunkSender_ServerAwayForSeconds(t *testing.T) {
	for _, away := range []time.Duration{5 * time.Second, 8 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			sender := senderOver(t, memfault.ChunkSenderOptions{}, func(*http.Request) (*http.Response, error) {
				if time.Since(start) < away {
					return nil, &net.OpError{Op: "dial", Err: errReset}
				}
				return newResponse(202, "")
			})
			ledger := newChunkLedger()
			for s := range 100 {
				ledger.send(t, sender, fmt.Sprint(s), chunkTexts(10)...)
			}
			require.NoError(t, sender.Close(t.Context()))
			accepted, reported := ledger.count(t)
			t.Logf("away for %v: %d chunks accepted, %d reported, after %v", away, accepted, reported, time.Since(start))
			assert.Equal(t, 1000, accepted)
			assert.LessOrEqual(t, time.Since(start), away+5*time.Second)
		})
	}
}

// An hour's outage of a fleet of 500 devices, each with a chunk every ten seconds, or every
// minute.
func TestChunkSender_OutageOfAnHour(t *testing.T) {
	t.Parallel()
	outages := map[string]func(req *http.Request) (*http.Response, error){
		"503": func(*http.Request) (*http.Response, error) { return newResponse(503, "") },
		"503 Retry-After": func(*http.Request) (*http.Response, error) {
			return newResponse(503, "", "Retry-After", "15")
		},
		"connection": func(*http.Request) (*http.Response, error) { return nil, errReset },
		"silence": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
	}
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const from, to = 10 * time.Minute, 70 * time.Minute
				start := time.Now()
				var mu sync.Mutex
				const enough = 45 // of 64; requests that still hang count as in flight
				requests, inFlight, most, full := 0, 0, 0, time.Duration(0)
				sender := senderOver(t, memfault.ChunkSenderOptions{}, func(req *http.Request) (*http.Response, error) {
					now := time.Since(start)
					mu.Lock()
					if now >= from && now < to {
						requests++
						mu.Unlock()
						return outage(req)
					}
					if inFlight++; now >= to && inFlight > most {
						if most = inFlight; most <= enough {
							full = now - to
						}
					}
					mu.Unlock()
					time.Sleep(50 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					inFlight--
					return newResponse(202, "")
				})
				const devices, span = 500, 75 * time.Minute
				interval := time.Minute
				if name == "503" {
					interval = 10 * time.Second
				}
				ledger := newChunkLedger()
				chunks := chunkTexts(int(span / interval))
				for _, chunk := range chunks {
					for s := range devices {
						ledger.send(t, sender, fmt.Sprint(s), chunk)
						time.Sleep(interval / devices)
					}
				}
				require.NoError(t, sender.Close(t.Context()))
				accepted, reported := ledger.count(t)
				t.Logf("%d requests during the outage, %d of %d chunks given up, %d requests in flight %v after its end, at most %d",
					requests, reported, accepted+reported, enough, full, most)
				assert.Equal(t, devices*len(chunks), accepted)
				assert.LessOrEqual(t, requests, 5000)
				assert.GreaterOrEqual(t, most, enough)
				assert.LessOrEqual(t, full, 5*time.Second)
			})
		})
	}
}

// The waits of a device grow until a batch of it is accepted, also if chunks are reported.
func TestChunkSender_WaitsDoNotStartOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, requests := time.Now(), 0
		sender := senderOver(t, memfault.ChunkSenderOptions{GiveUpAfter: 570 * time.Second}, func(*http.Request) (*http.Response, error) {
			requests++
			return newResponse(429, "")
		})
		ledger := newChunkLedger()
		for i := range 60 {
			ledger.send(t, sender, "A", chunkText(i))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		_, reported := ledger.count(t)
		assert.Equal(t, 51, reported, "a chunk is kept for 9.5 minutes")
		err := ledger.results["A "+chunkText(0)][0]
		require.ErrorContains(t, err, "memfault: chunk not accepted within 9m30s: chunks.upload: 429")
		require.ErrorIs(t, err, memfault.ErrRateLimited)
		require.ErrorIs(t, err, memfault.ErrNotDelivered)
		require.NotErrorIs(t, err, memfault.ErrSenderClosed)
		// The widest window is 30 s, so a request every 15 s.
		assert.LessOrEqual(t, requests, int(time.Since(start)/(15*time.Second))*4/3+10)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorContains(t, sender.Close(ended), " 9 chunks were not accepted")
	})
}

// A device that must wait fills its share of the memory, and no more.
func TestChunkSender_HeldDeviceStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senderOver(t, memfault.ChunkSenderOptions{MaxPendingBytes: 200_000}, func(req *http.Request) (*http.Response, error) {
			if serialOf(req) == "HELD" {
				return newResponse(429, "", "Retry-After", "3600")
			}
			return newResponse(202, "")
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var err error
		for err == nil {
			err = sender.Send(ctx, "HELD", make([]byte, 100), nil)
		}
		require.ErrorIs(t, err, memfault.ErrDeviceFull)
		ledger := newChunkLedger()
		for i := range 2000 {
			serial, chunk := fmt.Sprint(i%100), chunkText(i)
			require.NoError(t, sender.Send(ctx, serial, []byte(chunk), ledger.done(serial, chunk)))
		}
		synctest.Wait()
		accepted, _ := ledger.count(t)
		assert.Equal(t, 2000, accepted)
		ended, stop := context.WithCancel(t.Context())
		stop()
		require.Error(t, sender.Close(ended))
	})
}

// A large chunk is not overtaken forever by small ones.
func TestChunkSender_LargeChunkGetsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senderOver(t, memfault.ChunkSenderOptions{MaxPendingBytes: 1 << 20, MaxPendingPerDevice: 1 << 20}, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return newResponse(202, "")
		})
		ctx, cancel := context.WithCancel(t.Context())
		var small sync.WaitGroup
		for s := range 32 {
			small.Go(func() {
				for sender.Send(ctx, fmt.Sprint(s), make([]byte, 4<<10), nil) == nil {
				}
			})
		}
		time.Sleep(time.Minute)
		large, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		require.NoError(t, sender.Send(large, "LARGE", make([]byte, 900<<10), nil))
		cancel()
		small.Wait()
		require.NoError(t, sender.Close(t.Context()))
	})
}

// A server that rejects a large body before it has read it, and closes the connection, is
// seen as a lost connection only: the reset overtakes the response.
func TestChunkSender_EarlyRejection(t *testing.T) {
	const limit = 350 << 10
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					if req.ContentLength > limit {
						_ = conn.(*net.TCPConn).SetLinger(0) // closing resets the connection
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\nAccepted")
				}
			}()
		}
	}()
	client := newClient(t, memfault.ProjectKey("d3b0"), memfault.WithBaseURL("http://"+listener.Addr().String()), quickRetries)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{MaxPendingPerDevice: 64 << 20})
	var mu sync.Mutex
	accepted := 0
	for range 400 {
		require.NoError(t, sender.Send(t.Context(), "A", make([]byte, 100_000), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(t, err) {
				accepted++
			}
		}))
	}
	require.NoError(t, sender.Close(t.Context()))
	t.Logf("%d of 400 chunks accepted in %d requests", accepted, sender.Stats().Requests)
	assert.Equal(t, 400, accepted)
}

func TestChunkSender_LearnsRequestSize(t *testing.T) {
	tests := map[string]struct {
		rejects          func(parts int) bool
		accepted, limits int
	}{
		"room for ten": {func(parts int) bool { return parts > 10 }, 10_000, 1_100},
		"no room":      {func(int) bool { return true }, 0, 10_020},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, requests := make(chan struct{}), 0
				sender := senderOver(t, memfault.ChunkSenderOptions{}, func(req *http.Request) (*http.Response, error) {
					<-gate
					requests++
					body, err := io.ReadAll(req.Body)
					require.NoError(t, err)
					if test.rejects(max(strings.Count(string(body), "Content-Length:"), 1)) {
						return newResponse(413, "")
					}
					return newResponse(202, "")
				})
				ledger := newChunkLedger()
				ledger.send(t, sender, "A", chunkTexts(10_000)...)
				close(gate)
				require.NoError(t, sender.Close(t.Context()))
				accepted, _ := ledger.count(t)
				assert.Equal(t, test.accepted, accepted)
				t.Logf("%d requests for 10000 chunks", requests)
				assert.LessOrEqual(t, requests, test.limits)
			})
		})
	}
}

// brokenLimiter fails until a time.
type brokenLimiter struct{ until time.Time }

var errLimiter = errors.New("the limiter's store is away")

func (l brokenLimiter) Wait(context.Context) error {
	if time.Now().Before(l.until) {
		return errLimiter
	}
	return nil
}

func TestChunkSender_PausesWhileNothingCanBeSent(t *testing.T) {
	errToken := errors.New("no token")
	failing := func(until time.Time, fail func(req *http.Request) error) memfault.Authenticator {
		return authFunc(func(req *http.Request) error {
			if time.Now().Before(until) {
				return fail(req)
			}
			req.Header.Set("Memfault-Project-Key", "valid")
			return nil
		})
	}
	tests := map[string]struct {
		auth  func(until time.Time, req func(*http.Request) error) memfault.Authenticator
		fail  func(req *http.Request) error
		limit bool
		want  error
	}{
		"rejected key":  {failing, func(*http.Request) error { return nil }, false, memfault.ErrForbidden},
		"authenticator": {failing, func(*http.Request) error { return errToken }, false, errToken},
		"panic":         {failing, func(*http.Request) error { panic("s3cret") }, false, memfault.ErrNoAnswer},
		"rate limiter":  {nil, nil, true, errLimiter},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var log strings.Builder
				var pauses []error
				opts := []memfault.Option{memfault.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))}
				if test.limit {
					opts = append(opts, memfault.WithRateLimiter(brokenLimiter{start.Add(time.Hour)}))
				}
				opts = append(opts, memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					if req.Header.Get("Memfault-Project-Key") != "valid" {
						return newResponse(403, "")
					}
					return newResponse(202, "")
				})}))
				client := newClient(t, memfault.ProjectKey("valid"), opts...)
				if test.auth != nil {
					client = client.WithAuth(test.auth(start.Add(time.Hour), test.fail))
				}
				sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{OnPause: func(err error) { pauses = append(pauses, err) }})
				ledger := newChunkLedger()
				for s := range 10 {
					ledger.send(t, sender, fmt.Sprint(s), chunkTexts(3)...)
				}
				time.Sleep(time.Minute)
				require.ErrorIs(t, sender.Stats().Paused, test.want)
				time.Sleep(59*time.Minute + time.Second)
				sender.Resume()
				synctest.Wait()
				require.NoError(t, sender.Stats().Paused)
				assert.Len(t, pauses, 1)
				require.ErrorIs(t, pauses[0], test.want)
				assert.NotContains(t, pauses[0].Error()+log.String(), "s3cret")
				assert.Equal(t, name == "panic", strings.Contains(log.String(), "stack"))
				require.NoError(t, sender.Close(t.Context()))
				accepted, _ := ledger.count(t)
				assert.Equal(t, 30, accepted)
				assert.Less(t, sender.Stats().Requests, int64(60))
			})
		})
	}
}

// liveBytes returns the bytes of live objects.
func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// MaxPendingBytes bounds the memory that small chunks take, not only their content.
func TestChunkSender_MemoryOfSmallChunks(t *testing.T) {
	for _, size := range []int{1, 20} {
		const limit = 4 << 20
		gate := make(chan struct{})
		sender := senderOver(t, memfault.ChunkSenderOptions{MaxPendingBytes: limit, MaxPendingPerDevice: limit}, func(*http.Request) (*http.Response, error) {
			<-gate
			return newResponse(202, "")
		})
		before := liveBytes()
		chunk, n := make([]byte, size), 0
		for err := error(nil); err == nil && n < 5_000_000; n++ {
			sequence := n
			err = sender.Send(t.Context(), "A", chunk, func(error) { _ = sequence })
		}
		taken := liveBytes() - before
		t.Logf("%d chunks of %d bytes take %.2f MiB, %.2f of MaxPendingBytes", n-1, size, float64(taken)/(1<<20), float64(taken)/limit)
		assert.LessOrEqual(t, float64(taken)/limit, 1.2)
		close(gate)
		require.NoError(t, sender.Close(t.Context()))
	}
}

// A response whose body stalls delays its device for seconds, not for a minute.
func TestChunkSender_StalledResponseBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senderOver(t, memfault.ChunkSenderOptions{Concurrency: 1}, func(req *http.Request) (*http.Response, error) {
			resp, err := newResponse(202, "")
			resp.ContentLength = 8
			resp.Body = &slowBody{Reader: strings.NewReader("Accepted"), pause: time.Hour, ctx: req.Context()}
			return resp, err
		})
		ledger := newChunkLedger()
		ledger.send(t, sender, "A", "1")
		ledger.send(t, sender, "B", "1")
		require.NoError(t, sender.Close(t.Context()))
		accepted, _ := ledger.count(t)
		assert.Equal(t, 2, accepted)
		assert.LessOrEqual(t, ledger.times["A 1"], 5*time.Second)
		assert.LessOrEqual(t, ledger.times["B 1"], 10*time.Second)
	})
}

func TestChunkSender_CloseCancelsRequests(t *testing.T) {
	cloud, client := newRelay(t, memfault.WithTimeout(0))
	cloud.Fail(memfaulttest.Fault{Delay: time.Hour})
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	ledger := newChunkLedger()
	ledger.send(t, sender, "A", chunkTexts(10)...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.ErrorIs(t, sender.Close(ctx), context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 30*time.Second)
	_, reported := ledger.count(t)
	assert.Equal(t, 10, reported)
}
