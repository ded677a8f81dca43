package chunkqueue_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunkqueue"
	"github.com/memfault-go/memfault/memfaulttest"
)

func Example() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client, err := memfault.NewClient(memfault.ProjectKey(cloud.ProjectKey()), cloud.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chunkqueue")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	queue, err := chunkqueue.Open(filepath.Join(dir, "chunks.db"), chunkqueue.Options{MaxBytes: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	delivered := make(chan error)
	go func() { delivered <- queue.Run(ctx, client.Chunks) }()

	if err := queue.Add(ctx, "ABCD1234", []byte{0x08, 0x02, 0xa1}); err != nil { // on the disk now
		log.Fatal(err)
	}
	for queue.Stats().Chunks > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-delivered; err != nil {
		log.Fatal(err)
	}
	fmt.Println(queue.Stats().Delivered, len(cloud.Chunks("ABCD1234")))
	if err := queue.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1 1
}

// readmeCore is the code of the README's section on chunks.
func readmeCore(ctx context.Context, gateway *memfault.Client) error {
	queue, err := chunkqueue.Open("chunks.db", chunkqueue.Options{MaxBytes: 256 << 20})
	if err != nil {
		return err
	}
	go func() { log.Print(queue.Run(ctx, gateway.Chunks)) }() // delivers until ctx ends
	http.HandleFunc("POST /chunks/{serial}", func(w http.ResponseWriter, r *http.Request) {
		chunk, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err == nil {
			err = queue.Add(r.Context(), r.PathValue("serial"), chunk) // on the disk when it returns nil
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return http.ListenAndServe("127.0.0.1:8090", nil)
}

func TestReadme_CoreCompiles(t *testing.T) {
	assert.NotNil(t, readmeCore)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(source), "gateway *memfault.Client) error {\n")
	code, _, _ = strings.Cut(code, "\n}\n")
	code = strings.TrimPrefix(strings.ReplaceAll(code, "\n\t", "\n"), "\t")
	assert.Contains(t, string(readme), "```go\n"+code+"\n```\n")
}
