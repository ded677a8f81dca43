package memfault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// addIssue adds an issue with three coredumps, of which two share their symbols, with a trace
// without a coredump, and beside a coredump of another issue.
func addIssue(cloud *memfaulttest.Server, notReady int) (issue int64) {
	issues := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog"}, memfaulttest.Issue{Title: "Assert"})
	issue = issues[0]
	captured := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	cloud.AddCoredumps(
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "A", SoftwareVersion: "1.0.0", Captured: captured, Content: []byte("dump A"), ELF: []byte("elf A"), Symbols: []byte("symbols 1")},
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "B", SoftwareVersion: "1.0.0", Captured: captured, Content: []byte("dump B"), ELF: []byte("elf B"), Symbols: []byte("symbols 1"), NotReady: notReady},
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "C", SoftwareVersion: "2.0.0", Captured: captured, Content: []byte("dump C"), ELF: []byte("elf C")},
		memfaulttest.Coredump{Issue: issues[1], DeviceSerial: "D", Content: []byte("dump D")},
	)
	cloud.AddTraces(memfaulttest.Trace{Issue: issue, DeviceSerial: "A", Captured: captured})
	return issue
}

// contents returns the contents of all files in a directory, without the manifest.
func contents(t *testing.T, dir string) (texts []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		if entry.Name() != "manifest.json" {
			assert.Regexp(t, `^(coredump|symbols)-[0-9]+\.(bin|elf)$`, entry.Name())
			texts = append(texts, string(text))
		}
	}
	return texts
}

func readManifest(t *testing.T, dir string) (manifest memfault.IssueManifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &manifest))
	return manifest
}

func TestDownloadIssue_EachFileOnce(t *testing.T) {
	cloud, client := newCloud(t)
	issue := addIssue(cloud, 0)
	dir := filepath.Join(t.TempDir(), "new", "dir")
	files, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		assert.False(t, file.Existed)
		info, err := os.Stat(file.Path)
		require.NoError(t, err)
		assert.Equal(t, info.Size(), file.Size)
	}
	assert.ElementsMatch(t, []string{"dump A", "dump B", "dump C", "symbols 1"}, contents(t, dir))
	assert.Len(t, cloud.Requests("symbols.download"), 1)

	manifest := readManifest(t, dir)
	assert.Equal(t, issue, manifest.IssueID)
	require.Len(t, manifest.Coredumps, 3)
	first := manifest.Coredumps[0]
	assert.Equal(t, "A 1.0.0", first.DeviceSerial+" "+first.SoftwareVersion)
	assert.Equal(t, first.Symbols, manifest.Coredumps[1].Symbols)
	assert.Empty(t, manifest.Coredumps[2].Symbols)
	text, err := os.ReadFile(filepath.Join(dir, first.Coredump))
	require.NoError(t, err)
	assert.Equal(t, "dump A", string(text))

	again, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{Concurrency: 1})
	require.NoError(t, err)
	for i, file := range again {
		assert.True(t, file.Existed)
		assert.Equal(t, files[i].Size, file.Size)
	}
	assert.Len(t, cloud.Requests("coredumps.download"), 3)
	assert.Len(t, cloud.Requests("symbols.download"), 1)

	require.NoError(t, os.Remove(files[0].Path))
	_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	assert.Len(t, cloud.Requests("coredumps.download"), 4, "only the missing file")

	_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{Format: memfault.CoredumpFormatELF})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"dump A", "dump B", "dump C", "elf A", "elf B", "elf C", "symbols 1"}, contents(t, dir))
	assert.Len(t, readManifest(t, dir).Coredumps, 6)
}

func TestDownloadIssue_NotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		issue, dir := addIssue(cloud, 2), t.TempDir()
		files, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
		require.ErrorIs(t, err, memfault.ErrNotReady)
		require.ErrorContains(t, err, "1 files failed: coredump-")
		failed := 0
		for _, file := range files {
			if file.Err != nil {
				failed++
				require.ErrorIs(t, file.Err, memfault.ErrNotReady)
				require.ErrorContains(t, file.Err, filepath.Base(file.Path))
			}
		}
		assert.Equal(t, 1, failed)
		assert.ElementsMatch(t, []string{"dump A", "dump C", "symbols 1"}, contents(t, dir))

		start := time.Now()
		_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{WaitReady: time.Minute})
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.ElementsMatch(t, []string{"dump A", "dump B", "dump C", "symbols 1"}, contents(t, dir))

		issue, dir = addIssue(cloud, 1000), t.TempDir()
		start = time.Now()
		_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{WaitReady: time.Minute})
		require.ErrorIs(t, err, memfault.ErrNotReady)
		assert.Equal(t, time.Minute, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = client.Coredumps.DownloadIssue(ctx, sink, issue, dir, memfault.IssueDownloadOptions{WaitReady: time.Hour})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestDownloadIssue_FailedFileDoesNotStopOthers(t *testing.T) {
	cloud, client := newCloud(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}))
	issue, dir := addIssue(cloud, 0), t.TempDir()
	cloud.Fail(memfaulttest.Fault{Operation: "coredumps.download", CutBodyAfter: 3, Times: 1})
	cloud.Fail(memfaulttest.Fault{Operation: "symbols.download", Status: 404, Times: 1})
	cloud.Fail(memfaulttest.Fault{Operation: "traces.retrieve", Status: 500, Times: 1})
	files, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{Concurrency: 1})
	require.ErrorContains(t, err, "trace ")
	require.ErrorContains(t, err, "coredump-")
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	assert.NotEmpty(t, files)
	for _, text := range contents(t, dir) {
		assert.Contains(t, []string{"dump A", "dump B", "dump C", "symbols 1"}, text, "only complete files")
	}
	_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"dump A", "dump B", "dump C", "symbols 1"}, contents(t, dir))
}

func TestDownloadIssue_DiskErrorStops(t *testing.T) {
	cloud, client := newCloud(t)
	issue, dir := addIssue(cloud, 0), t.TempDir()
	files, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	for _, file := range files {
		require.NoError(t, os.Remove(file.Path))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(files[0].Path, "inside"), 0o750)) // the rename fails
	before := len(cloud.Requests("coredumps.download"))
	files, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{Concurrency: 1})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	var link *os.LinkError
	require.ErrorAs(t, err, &link)
	for _, file := range files {
		require.Error(t, file.Err)
	}
	assert.Len(t, cloud.Requests("coredumps.download"), before+1)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, file, memfault.IssueDownloadOptions{})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}

func TestDownloadIssue_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	download := func(issue int64, dir string, options memfault.IssueDownloadOptions) error {
		_, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, options)
		return err
	}
	dir := filepath.Join(t.TempDir(), "absent")
	requireUnsent(t, cloud, download(0, dir, memfault.IssueDownloadOptions{}), "issue ID must be positive")
	requireUnsent(t, cloud, download(1, "", memfault.IssueDownloadOptions{}), "directory must not be empty")
	requireUnsent(t, cloud, download(1, dir, memfault.IssueDownloadOptions{Concurrency: -1}), "must not be negative")
	requireUnsent(t, cloud, download(1, dir, memfault.IssueDownloadOptions{Format: "../x"}), `invalid format "../x"`)
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	_, err := byKey.Coredumps.DownloadIssue(t.Context(), sink, 1, dir, memfault.IssueDownloadOptions{})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	require.NoDirExists(t, dir)

	one, other := addIssue(cloud, 0), addIssue(cloud, 0)
	require.NoError(t, download(one, dir, memfault.IssueDownloadOptions{}))
	require.ErrorContains(t, download(other, dir, memfault.IssueDownloadOptions{}), fmt.Sprintf("contains issue %d", one))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{"), 0o600))
	require.NoError(t, download(one, dir, memfault.IssueDownloadOptions{}))
	assert.Len(t, readManifest(t, dir).Coredumps, 3)
}

// A process that is killed in the middle of a file leaves no file that looks complete.
func TestDownloadIssue_KilledProcess(t *testing.T) {
	const urlVariable, dirVariable, issueVariable = "MEMFAULT_TEST_URL", "MEMFAULT_TEST_DIR", "MEMFAULT_TEST_ISSUE"
	if url := os.Getenv(urlVariable); url != "" { // the process that is killed
		client := newClient(t, memfault.OrganizationToken(organizationToken), memfault.WithBaseURL(url))
		var issue int64
		_, _ = fmt.Sscan(os.Getenv(issueVariable), &issue)
		_, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, os.Getenv(dirVariable), memfault.IssueDownloadOptions{Concurrency: 1})
		t.Fatal("the download must not end", err)
	}
	cloud, client := newCloud(t)
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog"})[0]
	dump := bytes.Repeat([]byte("memory "), 100_000)
	cloud.AddCoredumps(
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "A", Content: dump, Symbols: []byte("symbols")},
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "B", Content: dump, Symbols: []byte("symbols")},
	)
	dir := t.TempDir()
	half := make(chan struct{}, 10)
	var downloads atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/download") || strings.Contains(r.URL.Path, "symbols") || downloads.Add(1) == 1 {
			cloud.Handler().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(dump)))
		_, _ = w.Write(dump[:len(dump)/2])
		_ = http.NewResponseController(w).Flush()
		half <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDownloadIssue_KilledProcess$")
	child.Env = append(os.Environ(), urlVariable+"="+server.URL, dirVariable+"="+dir, fmt.Sprintf("%s=%d", issueVariable, issue))
	require.NoError(t, child.Start())
	<-half
	require.Eventually(t, func() bool { // the half has reached the disk
		parts, _ := filepath.Glob(filepath.Join(dir, ".download-*.part"))
		return len(parts) == 1
	}, time.Minute, time.Millisecond)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	complete, err := filepath.Glob(filepath.Join(dir, "coredump-*"))
	require.NoError(t, err)
	require.Len(t, complete, 1, "the file that was complete before")
	files, err := client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	existed := 0
	for _, file := range files {
		if file.Existed {
			existed++
		}
	}
	assert.Equal(t, 2, existed, "a coredump and the symbols")
	assert.ElementsMatch(t, []string{string(dump), string(dump), "symbols"}, contents(t, dir))
}

func TestDownloadIssue_ContextCanceled(t *testing.T) {
	cloud, client := newCloud(t)
	issue, dir := addIssue(cloud, 0), t.TempDir()
	why := errors.New("the shift is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cloud.Fail(memfaulttest.Fault{Operation: "coredumps.download", Skip: 1, Before: func() { cancel(why) }})
	files, err := client.Coredumps.DownloadIssue(ctx, sink, issue, dir, memfault.IssueDownloadOptions{Concurrency: 1})
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, files, 4)
	cloud.Heal()
	_, err = client.Coredumps.DownloadIssue(t.Context(), sink, issue, dir, memfault.IssueDownloadOptions{})
	require.NoError(t, err)
	assert.Len(t, contents(t, dir), 4)
}

func ExampleCoredumpsService_DownloadIssue_toDirectory() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"})[0]
	cloud.AddCoredumps(
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "ABCD1234", ELF: []byte("\x7fELF…"), Symbols: []byte("\x7fELF symbols")},
		memfaulttest.Coredump{Issue: issue, DeviceSerial: "ABCD1235", ELF: []byte("\x7fELF…"), Symbols: []byte("\x7fELF symbols")},
	)
	client := cloud.Client(nil)
	dir, err := os.MkdirTemp("", "issue")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	options := memfault.IssueDownloadOptions{Format: memfault.CoredumpFormatELF, WaitReady: time.Minute}
	files, err := client.Coredumps.DownloadIssue(context.Background(), cloud.Project(), issue, dir, options)
	if err != nil {
		log.Fatal(err) // call it again to download what is missing
	}
	fmt.Println("files:", len(files))
	// Output:
	// files: 3
}
