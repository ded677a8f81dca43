package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/operation"
)

func TestList_Format(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, list(&out))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	assert.Len(t, lines, len(operation.All()))
	assert.Equal(t, "auth.me\tGET\tapi\t/auth/me\temail+password,email+api-key,organization-token\tidempotent\tdocumented\tsent", lines[0])
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		require.Len(t, fields, 8, line)
		assert.Contains(t, []string{"idempotent", "once"}, fields[5])
		assert.Contains(t, []string{"documented", "observed", "assumed"}, fields[6])
		assert.Contains(t, []string{"sent", "not sent"}, fields[7])
	}
}
