package share

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestShares(t *testing.T) {
	own := map[string]int64{"a": 100}
	s := New(Config{
		ID: "me", Bytes: func() map[string]int64 { return own }, Expiry: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Limit: func(tenant string) int64 {
			if tenant == "unlimited" {
				return 0
			}
			return 1000
		},
	})
	s.own = own
	s.receive([]byte(`{"id": "other", "bytes": {"a": 500, "b": 900}}`))
	s.receive([]byte(`{"id": "me", "bytes": {"a": 5000}}`))
	s.receive([]byte(`not a report`))
	s.Stored("a", 300)
	assert.Equal(t, map[string]int64{"a": 900, "b": 900}, s.Used())
	assert.False(t, s.Full("a", 100))
	assert.True(t, s.Full("a", 101))
	assert.True(t, s.Full("b", 101))
	assert.False(t, s.Full("c", 1000))
	assert.False(t, s.Full("unlimited", 1<<30))
	s.receive([]byte(strings.ReplaceAll(`{"id": "other", "bytes": {"b": 900}}`, "900", "800")))
	assert.Equal(t, map[string]int64{"a": 400, "b": 800}, s.Used(), "the last report counts")
}
