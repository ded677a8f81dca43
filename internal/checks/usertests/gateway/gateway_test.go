package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/usertests/gateway"
	"github.com/memfault-go/memfault/memfaulttest"
)

const directory = "GATEWAY_TEST_DIRECTORY"

// TestMain makes the test binary a gateway, which the tests start and kill. It writes its address
// to a file.
func TestMain(m *testing.M) {
	dir := os.Getenv(directory)
	if dir == "" {
		os.Exit(m.Run())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "new"), []byte(listener.Addr().String()), 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "address"))
	}
	if err == nil {
		err = gateway.Run(context.Background(), gateway.Config{
			Queue: filepath.Join(dir, "chunks.db"), KeyFile: filepath.Join(dir, "key"),
			Client: []memfault.Option{memfault.WithBaseURL(os.Getenv("URL"))},
		}, listener)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// start starts a gateway, and returns its process and its address.
func start(t *testing.T, dir, url string) (*exec.Cmd, string) {
	_ = os.Remove(filepath.Join(dir, "address"))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), directory+"="+dir, "URL="+url)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	var address []byte
	require.Eventually(t, func() (ok bool) {
		var err error
		address, err = os.ReadFile(filepath.Join(dir, "address"))
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	return cmd, "http://" + string(address)
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func post(address, serial string, chunk []byte) bool {
	response, err := http.Post(address+"/chunks/"+serial, "application/octet-stream", bytes.NewReader(chunk))
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusAccepted
}

func get(t *testing.T, url string) string {
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// The gateway is killed while devices send. A device sends a chunk until the gateway has answered
// 202, and each of them arrives, in order.
func TestGateway_LosesNothingWhenKilled(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of this test are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.2, Status: 503})
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(cloud.ProjectKey()), 0o600))
	cmd, address := start(t, dir, cloud.URL)
	const chunks = 120
	for i := range chunks {
		if i%30 == 29 {
			victim := cmd
			time.AfterFunc(time.Duration(rand.IntN(3))*time.Millisecond, func() { _ = victim.Process.Kill() })
		}
		for device := range 3 {
			for !post(address, fmt.Sprintf("DEVICE%d", device), []byte{0x08, byte(i)}) {
				kill(cmd)
				cmd, address = start(t, dir, cloud.URL)
			}
		}
	}
	cloud.Heal()
	require.Eventually(t, func() bool { return strings.Contains(get(t, address+"/metrics"), "chunks_queued 0\n") }, time.Minute, 10*time.Millisecond)
	for device := range 3 {
		next := 0 // in the order in which they arrive first
		for _, c := range cloud.Chunks(fmt.Sprintf("DEVICE%d", device)) {
			if int(c[1]) >= next {
				assert.Equal(t, next, int(c[1]))
				next = int(c[1]) + 1
			}
		}
		assert.Equal(t, chunks, next)
	}
}

// While the key is wrong, chunks wait; a new key is read without a restart.
func TestGateway_RotatesTheKey(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of this test are no messages
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, []byte("revoked"), 0o600))
	_, address := start(t, dir, cloud.URL)
	require.True(t, post(address, "ABCD1234", []byte{0x08, 1}))
	require.Eventually(t, func() bool { return strings.Contains(get(t, address+"/metrics"), "chunks_paused 1\n") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(key+".new", []byte(cloud.ProjectKey()+"\n"), 0o600))
	require.NoError(t, os.Rename(key+".new", key))
	require.Eventually(t, func() bool { return strings.Contains(get(t, address+"/metrics"), "chunks_delivered_total 1\n") }, time.Minute, 10*time.Millisecond)
	assert.Equal(t, [][]byte{{0x08, 1}}, cloud.Chunks("ABCD1234"))
}
