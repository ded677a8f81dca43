package fakecloud_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

func TestProcessingLog_RejectsPage(t *testing.T) {
	x := newTester(t)
	for _, query := range []string{"page=1", "per_page=10", "page[size]=0", "page[size]=501", "page[size]=x", "page[after]=x", "start=2025-02-27"} {
		assert.Equal(t, 400, x.get("/processing-log?"+query).status, query)
	}
	empty := x.ok(x.get("/processing-log"))
	assert.Equal(t, []any{}, empty.at("data"))
	links, ok := empty.at("links").(map[string]any)
	require.True(t, ok)
	assert.Contains(t, links, "next")
	assert.Nil(t, links["next"])
}

func TestProcessingLog_LinksUntilEmptyPage(t *testing.T) {
	x := newTester(t)
	now := time.Now()
	x.cloud.SetClock(func() time.Time { return now })
	for i := range 3 {
		x.cloud.AddProcessingLog(fakecloud.ProcessingLogEntry{Message: fmt.Sprint(i)})
	}
	path := "/processing-log?page%5Bsize%5D=3"
	var sizes []int
	for range 3 {
		page := x.ok(x.get(path))
		sizes = append(sizes, len(page.at("data").([]any)))
		next, ok := page.at("links.next").(string)
		if !ok {
			break
		}
		now = now.Add(time.Second)
		x.cloud.AddProcessingLog(fakecloud.ProcessingLogEntry{Message: "added after the end that is pinned"})
		require.True(t, strings.HasPrefix(next, root+"/processing-log?"), next)
		path = strings.TrimPrefix(next, root)
	}
	assert.Equal(t, []int{3, 0}, sizes)
}

func TestProcessingLog_EntriesOfUnreadableFiles(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/coredumps", string(firmware.Coredump(0)), `"device_serial":"S1"`))
	x.ok(x.upload("/mar", "PK", flatTraits))
	x.ok(x.upload("/elf_coredumps", "\x7fELF", `"device":{`+flatTraits+`}`))
	assert.Equal(t, []any{}, x.get("/processing-log").at("data"))
	x.ok(x.upload("/coredumps", "x", ""))
	x.ok(x.upload("/elf_coredumps", "x", `"device":{`+flatTraits+`}`))
	log := x.get("/processing-log")
	assert.Equal(t, "Unreadable data: chunk: coredump: byte 0: not a coredump", log.at("data.0.message"))
	assert.Equal(t, "The device of a coredump is unknown", log.at("data.1.message"))
	assert.Equal(t, "The content of the file is not of the kind elf_coredump", log.at("data.2.message"))
	assert.Equal(t, "S1", log.at("data.2.device_serial"))
	assert.Equal(t, "error", log.at("data.2.level"))
	assert.NotNil(t, log.at("data.2.created_date"))
}
