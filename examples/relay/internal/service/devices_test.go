package service_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
)

// device runs a program with an input, and returns its output.
func device(t *testing.T, limit time.Duration, input, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

func TestDevices_MosquittoPub(t *testing.T) {
	pub := relaytest.Tool(t, "mosquitto_pub")
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	r := start(t, c)
	_, port, err := net.SplitHostPort(r.MQTT)
	require.NoError(t, err)
	args := func(serial, token string, more ...string) []string {
		return append([]string{"-h", "127.0.0.1", "-p", port, "-i", "x", "-u", "A", "-P", token, "-t", "memfault/" + serial + "/chunk"}, more...)
	}
	token := auth.Token(secret, "A")
	var want []string
	for _, version := range []string{"311", "5"} {
		texts := numbered("v"+version+"-", 50)
		want = append(want, texts...)
		out, err := device(t, time.Minute, strings.Join(texts, "\n")+"\n", pub, args("A", token, "-V", version, "-q", "1", "-l")...)
		require.NoError(t, err, out)
		_, err = device(t, time.Minute, "", pub, args("A", auth.Token(secret, "B"), "-V", version, "-q", "1", "-m", "wrong token")...)
		require.Error(t, err)
		_, err = device(t, 5*time.Second, "", pub, args("A", token, "-V", version, "-q", "2", "-m", "QoS 2")...)
		t.Logf("QoS 2 by version %s: %v", version, err)
		_, _ = device(t, 5*time.Second, "", pub, args("B", token, "-V", version, "-q", "1", "-m", "another device")...)
	}
	eventually(t, func() bool {
		return len(cloud.Chunks("A")) >= 100 && strings.Contains(r.metrics(t), "\nrelay_store_chunks 0\n")
	}, "the chunks arrive, and no others are stored")
	assert.Equal(t, want, texts(cloud.Chunks("A")))
	assert.Empty(t, cloud.Chunks("B"))
}

func TestDevices_Python(t *testing.T) {
	const python = "/usr/bin/python3" // the one that has the packages of the system
	if out, err := device(t, time.Minute, "", python, "-c", "import paho.mqtt.client"); err != nil {
		if os.Getenv("RELAY_TOOLS") == "required" {
			t.Fatal(err, out)
		}
		t.Skip(err)
	}
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants, c.MaxChunk = authTenants(t, cloud), 1000
	r := start(t, c)
	_, port, err := net.SplitHostPort(r.MQTT)
	require.NoError(t, err)
	token := auth.Token(secret, "A")
	out, err := device(t, time.Minute, "one\ntwo\n", python, "testdata/device.py", port, "3", "A", token)
	require.NoError(t, err, out)
	// A reason that MQTT 5 does not allow would end the thread of the library.
	out, err = device(t, time.Minute, "three\n"+strings.Repeat("x", 1001)+"\nfour\n", python, "testdata/device.py", port, "5", "A", token)
	require.NoError(t, err, out)
	assert.Contains(t, out, "done")
	eventually(t, func() bool { return len(cloud.Chunks("A")) >= 4 }, "the chunks arrive")
	assert.Equal(t, []string{"one", "two", "three", "four"}, texts(cloud.Chunks("A")))
}

// mosquitto as an existing broker, with the settings that the documentation names: it keeps what
// devices send while no relay is there.
func TestDevices_MosquittoAsBroker(t *testing.T) {
	program, pub := relaytest.Tool(t, "mosquitto"), relaytest.Tool(t, "mosquitto_pub")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	me, err := user.Current() // mosquitto as another user could not write the directory
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "mosquitto.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
listener %s 127.0.0.1
user %s
allow_anonymous true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 100
persistence true
persistence_location %s/
autosave_interval 10
`, port, me.Username, dir), 0o600))
	launch := func() *exec.Cmd {
		command := exec.Command(program, "-c", file)
		require.NoError(t, command.Start())
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
		eventually(t, func() bool {
			connection, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				_ = connection.Close()
			}
			return err == nil
		}, "mosquitto starts")
		return command
	}
	mosquitto := launch()
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MQTT, c.Bridge = "", &service.Bridge{URL: "tcp://127.0.0.1:" + port, ClientID: "relay"}
	r := start(t, c)
	eventually(t, func() bool { return strings.Contains(r.metrics(t), "\nrelay_bridge_connected 1\n") }, "the relay subscribes")
	require.NoError(t, r.stop())
	want := numbered("c", 3000)
	out, err := device(t, time.Minute, strings.Join(want, "\n")+"\n", pub, "-h", "127.0.0.1", "-p", port, "-t", "memfault/A/chunk", "-q", "1", "-l")
	require.NoError(t, err, out)
	require.NoError(t, mosquitto.Process.Signal(os.Interrupt))
	_ = mosquitto.Wait() // it says how it was ended
	launch()
	start(t, c)
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == len(want) }, "the broker kept all chunks")
	assert.Equal(t, want, distinct(cloud.Chunks("A")))
}
